#pragma once

/* The tuning store: what was measured on this machine, in a file of the user's, and a table that comes with the library. A value is a
 * line of text under a key; who stores it knows what it says. Nothing is timed here. */

#include "base/base.h"
#include "clgrad/device.h"

typedef struct clgrad_tuning_row {
    const char *section, *key, *value; /* section: "device NAME; PLATFORM; DRIVER" */
} clgrad_tuning_row;

typedef struct clgrad_tuning {
    clgrad_context *ctx;
    char *data; /* the file's text, which the rows lie in */
    clgrad_tuning_row *rows;
    size_t count, capacity;
    bool off; /* CLGRAD_TUNING=0: neither the file nor the table */
} clgrad_tuning;

enum { CLGRAD_TUNING_SECTION = 512 };

/* The file: CLGRAD_TUNING, else $XDG_CONFIG_HOME/clgrad/tuning, else ~/.config/clgrad/tuning. In fresh memory. E_FILE: none, since
 * CLGRAD_TUNING is 0 or no home is known. */
clgrad_status clgrad_tuning_path(clgrad_context *ctx, char **path);
/* Read it; a missing file is an empty one. E_FILE: not readable, damaged, of another version: path and reason are in the sentence. */
clgrad_status clgrad_tuning_read(clgrad_context *ctx, clgrad_tuning *out);
/* The same for a run, which goes on without a file that is refused: the log says so. Fails for memory alone. */
clgrad_status clgrad_tuning_open(clgrad_context *ctx, clgrad_tuning *out);
void clgrad_tuning_close(clgrad_tuning *tuning);

/* The section of a device. */
void clgrad_tuning_section(const clgrad_device_info *info, char section[CLGRAD_TUNING_SECTION]);
/* What is known of a device under a key, borrowed: from the file, then from the table by device, architecture, vendor and kind.
 * `from`, where not NULL, is told which. NULL: nothing is known. */
const char *clgrad_tuning_find(const clgrad_tuning *tuning, const clgrad_device_info *info, const char *key, const char **from);
/* The same in a shipped table alone; sections are scopes, "kind cpu". */
const char *clgrad_tuning_find_shipped(const clgrad_tuning_row *rows, size_t count, const clgrad_device_info *info, const char *key,
                                       const char **from);
/* Is there anything at all to be found? */
bool clgrad_tuning_knows(const clgrad_tuning *tuning);
/* Put a row into the file, replacing one of its section and key; value NULL: take it away, key NULL: the section. Other processes
 * see the old file or the new one. E_FILE: nothing changed; also where the file that is there is refused. */
clgrad_status clgrad_tuning_put(clgrad_tuning *tuning, const clgrad_tuning_row *row);

/* Take the file away, whatever it is; nothing is said where there is none. */
clgrad_status clgrad_tuning_remove(clgrad_context *ctx);

/* How fast a device was measured to be, as a row tells it: the geometric mean of MFLOP/s and MB/s. 0: not measured. */
double clgrad_tuning_score(const clgrad_tuning *tuning, const clgrad_device_info *info);
