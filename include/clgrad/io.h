#pragma once

/**
 * Data files: safetensors, NPY, IDX, CSV.
 *
 * Files may come from strangers. Whatever a file says of itself is checked against its real size before memory is taken for
 * it. All calls here fail with these, and with a sentence that names the file:
 *
 *   CLGRAD_E_FILE         cannot be opened, read or written; ends early while it is read.
 *   CLGRAD_E_FORMAT       the content is damaged, is of another format, or contradicts itself.
 *   CLGRAD_E_UNSUPPORTED  legal content that clgrad has no use for: an element type it lacks, a rank over 8.
 *   CLGRAD_E_MEMORY       no host memory.
 *
 * After a failure outputs hold nothing. Files are written to a temporary name beside the final one, flushed to the disk and
 * renamed: after a failure or a crash the old file or the new one stands in full. Strings are UTF-8. No call depends on the
 * locale. Threads: one call at a time per context.
 */

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- safetensors: named tensors and text metadata; github.com/huggingface/safetensors --- */

typedef struct clgrad_safetensors clgrad_safetensors;

typedef struct clgrad_safetensors_entry {
    const char *name;
    const char *type;   /* as the file calls it, "F32", "F8_E4M3" */
    clgrad_dtype dtype; /* CLGRAD_DTYPE_COUNT where clgrad has no such type: such an entry can be listed, not read */
    clgrad_shape shape;
    uint64_t bytes;
} clgrad_safetensors_entry;

/**
 * Open a file and check it whole but for the values: header, types, shapes, sizes, no hole, no overlap, exact end. The file
 * stays open until release. At most 65,536 tensors, names of at most 255 bytes.
 */
CLGRAD_API clgrad_status clgrad_safetensors_open(clgrad_context *ctx, const char *path, clgrad_safetensors **out);
CLGRAD_API void clgrad_safetensors_release(clgrad_safetensors **file);

/** Entries in the order of their data. Borrowed for the life of file; NULL when i is out of range or the name is not there. */
CLGRAD_API size_t clgrad_safetensors_count(const clgrad_safetensors *file);
CLGRAD_API const clgrad_safetensors_entry *clgrad_safetensors_get(const clgrad_safetensors *file, size_t i);
CLGRAD_API const clgrad_safetensors_entry *clgrad_safetensors_find(const clgrad_safetensors *file, const char *name);

/** Metadata in the order of the file; borrowed. metadata gives the value of a key, or NULL. */
CLGRAD_API size_t clgrad_safetensors_num_metadata(const clgrad_safetensors *file);
CLGRAD_API void clgrad_safetensors_get_metadata(const clgrad_safetensors *file, size_t i, const char **key,
                                                const char **value);
CLGRAD_API const char *clgrad_safetensors_metadata(const clgrad_safetensors *file, const char *key);

/** Copy the values of one entry of this file. CLGRAD_E_ARG: bytes is not the entry's. CLGRAD_E_UNSUPPORTED: clgrad lacks its
 *  type. */
CLGRAD_API clgrad_status clgrad_safetensors_read(const clgrad_safetensors *file, const clgrad_safetensors_entry *entry,
                                                 void *data, size_t bytes);
/** As read, into a fresh array. */
CLGRAD_API clgrad_status clgrad_safetensors_read_array(const clgrad_safetensors *file,
                                                       const clgrad_safetensors_entry *entry, clgrad_array *out);

typedef struct clgrad_safetensors_writer clgrad_safetensors_writer;

CLGRAD_API clgrad_status clgrad_safetensors_writer_create(clgrad_context *ctx, clgrad_safetensors_writer **out);
CLGRAD_API void clgrad_safetensors_writer_release(clgrad_safetensors_writer **writer);
/** Set a metadata string; a key set before is replaced. Both are copied. CLGRAD_E_ARG: not UTF-8. */
CLGRAD_API clgrad_status clgrad_safetensors_writer_set(clgrad_safetensors_writer *writer, const char *key,
                                                       const char *value);
/**
 * Add a tensor. The name is copied; data is not and must stay as it is until the file is written.
 *
 * CLGRAD_E_ARG    the name is there already, is empty, over 255 bytes, not UTF-8 or "__metadata__"; bytes is not the shape's;
 *                 65,536 tensors are there.
 * CLGRAD_E_SHAPE, CLGRAD_E_DTYPE  no such tensor.
 */
CLGRAD_API clgrad_status clgrad_safetensors_writer_add(clgrad_safetensors_writer *writer, const char *name,
                                                       clgrad_dtype dtype, clgrad_shape shape, const void *data,
                                                       size_t bytes);
/** Write the file, tensors in the reference implementation's order: equal content gives equal bytes. May be called again. */
CLGRAD_API clgrad_status clgrad_safetensors_writer_write(clgrad_safetensors_writer *writer, const char *path);

/* --- NPY: one array; numpy.lib.format, versions 1 to 3 --- */

/**
 * Read an array of any byte order, in C or Fortran order (then transposed). Types clgrad lacks widen: bool to u8, i1 i2 u2 to
 * i32, u4 u8 to i64. CLGRAD_E_UNSUPPORTED: objects, strings, records, complex numbers, a u8 value over 2^63 - 1.
 */
CLGRAD_API clgrad_status clgrad_npy_read(clgrad_context *ctx, const char *path, clgrad_array *out);
/** Write version 1, C order. CLGRAD_E_UNSUPPORTED: bf16, which NPY has no name for, or no element type. */
CLGRAD_API clgrad_status clgrad_npy_write(clgrad_context *ctx, const char *path, const clgrad_array *array);

/* --- IDX: the format of MNIST, plain or in gzip --- */

/** Types widen: i8 and i16 to i32. */
CLGRAD_API clgrad_status clgrad_idx_read(clgrad_context *ctx, const char *path, clgrad_array *out);

/* --- CSV: a table of numbers with at most one column of classes, plain or in gzip --- */

typedef enum clgrad_csv_header { CLGRAD_CSV_HEADER_AUTO, CLGRAD_CSV_HEADER_YES, CLGRAD_CSV_HEADER_NO } clgrad_csv_header;

/** What to do where a feature is missing: an empty field, ?, NA or nan. A missing target is always refused. */
typedef enum clgrad_csv_missing {
    CLGRAD_CSV_MISSING_REFUSE,
    CLGRAD_CSV_MISSING_MEAN, /* of the column's other values */
    CLGRAD_CSV_MISSING_MEDIAN,
    CLGRAD_CSV_MISSING_ZERO,
    CLGRAD_CSV_MISSING_GIVEN /* options->fill, as an earlier table returned it */
} clgrad_csv_missing;

typedef struct clgrad_csv_options {
    size_t struct_size;
    clgrad_csv_header header;   /* AUTO: a header is a first line with text outside the target column */
    char separator;             /* ',' ';' '\t', ' ' for any run of blanks; 0: seen from the first line */
    const char *target;         /* a column's name, or its number, from 0 or negative from the end; NULL: -1; "": none */
    clgrad_csv_missing missing;
    clgrad_dtype dtype;         /* of features and of a numeric target: f32 or f64 */
    const char *const *classes; /* the target's texts in the order of their labels; NULL: found in the file, sorted */
    size_t num_classes;
    const double *fill;         /* one value per feature, for CLGRAD_CSV_MISSING_GIVEN */
    size_t num_fill;
} clgrad_csv_options;

#define CLGRAD_CSV_OPTIONS_INIT                                                                                \
    { sizeof(clgrad_csv_options), CLGRAD_CSV_HEADER_AUTO, 0, NULL, CLGRAD_CSV_MISSING_REFUSE, CLGRAD_F32, NULL, \
      0, NULL, 0 }

typedef struct clgrad_csv {
    clgrad_array features; /* [rows, num_features] */
    clgrad_array target;   /* [rows]; i32 labels where the column holds text, else numbers; data NULL without a target */
    size_t num_features, num_classes;
    char **names;          /* of the features: from the header, or "0", "1", ... by column; num_features of them */
    char *target_name;     /* NULL without a target */
    char **classes;        /* text of each label; NULL where the target holds numbers */
    double *fill;          /* what stands for a missing value, per feature; all 0 unless imputed */
} clgrad_csv;

/**
 * Read a table. Fields may be quoted, lines end in LF or CRLF, empty lines are skipped, blanks around fields do not count.
 * Numbers are decimal with a point. Refusals name line and column: a row of another length, a field that is no finite number
 * or does not fit dtype, a missing value, an unknown class.
 *
 * CLGRAD_E_ARG  an option outside its range; a target that is no column (the text lists the columns).
 */
CLGRAD_API clgrad_status clgrad_csv_read(clgrad_context *ctx, const char *path, const clgrad_csv_options *options,
                                         clgrad_csv *out);
/** Frees what the table holds; an empty one is accepted. */
CLGRAD_API void clgrad_csv_release(clgrad_context *ctx, clgrad_csv *csv);

#ifdef __cplusplus
}
#endif
