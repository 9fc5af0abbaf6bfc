#include "io/fixture.h"

const test_suite test_suites[] = { { io_file_suite }, { io_safetensors_suite }, { io_npy_suite },
                                   { io_idx_suite },  { io_csv_suite },         { io_fault_suite }, { NULL } };
