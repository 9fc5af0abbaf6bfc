#pragma once

/* The command's POSIX calls: its own path, running itself again, terminals, interrupts. */

#include <stdbool.h>
#include <stddef.h>

typedef struct child_result {
    char *output;   /* what it wrote to stdout, NUL-terminated; free() */
    int exit_code;  /* -1 when it ended by a signal or did not start */
    int signal;     /* the signal, 0 for none */
    bool timed_out; /* it was killed after the limit */
} child_result;

/* Run this executable again with `arguments` (ended by NULL, without argv[0]) and one variable set; waits at most `seconds`. */
bool run_self(const char *const *arguments, const char *name, const char *value, int seconds, child_result *out);

/* The same for another program; stdout is kept, stderr is not. */
bool run_program(const char *path, const char *const *arguments, const char *name, const char *value, int seconds, child_result *out);
/* The first of two files that is there, as ../PLACE from the directory of this executable; free(). NULL: neither. */
char *find_beside(const char *first_place, const char *second_place);

/* What machine this is: "Linux 6.1.0 x86_64", the processor's name, how many are usable, bytes of memory. */
typedef struct machine {
    char system[160], cpu[96];
    int cores;
    long long memory_bytes;
} machine;
void describe_machine(machine *out);

const char *signal_text(int signal); /* "Segmentation fault" */

bool is_terminal(int descriptor);
int terminal_columns(void);
double monotonic_seconds(void);

/* After the call the first SIGINT or SIGTERM only sets a flag; a second one ends the process as usual. */
void catch_interrupts(void);
bool interrupted(void);

/* The .icd files of the loader's vendor directory (or OCL_ICD_VENDORS): a NULL-ended list, each and the list free()d. */
char **list_icd_files(void);
void free_list(char **list);

/* A fresh directory under TMPDIR, free(); removed with the files in it by remove_directory, which frees the path. NULL on failure. */
char *make_directory(void);
void remove_directory(char *path);

/* A fresh directory with links to the given files; remove with remove_directory. NULL on failure. */
char *make_link_directory(char *const *files);
