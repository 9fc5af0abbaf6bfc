#include "train/fixture.h"

const test_suite test_suites[] = {
    { config_suite }, { dataset_suite }, { train_suite }, { resume_suite }, { stream_suite }, { misuse_suite }, { digest_suite }, { workload_suite }, { job_suite }, { NULL },
};
