#define _GNU_SOURCE

#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static volatile sig_atomic_t interrupt_seen;

static void on_interrupt(int number)
{
    interrupt_seen = 1;
    signal(number, SIG_DFL);
}

void catch_interrupts(void)
{
    struct sigaction action = { .sa_handler = on_interrupt };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupted(void) { return interrupt_seen != 0; }

const char *signal_text(int number) { return strsignal(number); }

bool is_terminal(int descriptor)
{
    const char *term = getenv("TERM");
    return isatty(descriptor) && term && strcmp(term, "dumb") != 0;
}

int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

double monotonic_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* environ with name=value in place of name; only the array and the one string are new. */
static char **environment_with(const char *name, const char *value, char **own)
{
    size_t count = 0, kept = 0;
    const size_t length = name ? strlen(name) : 0;
    while (environ[count]) count++;
    char **copy = calloc(count + 2, sizeof *copy);
    if (!copy) return NULL;
    for (size_t i = 0; i < count; i++)
        if (!name || strncmp(environ[i], name, length) != 0 || environ[i][length] != '=') copy[kept++] = environ[i];
    *own = NULL;
    if (name && asprintf(own, "%s=%s", name, value) < 0) *own = NULL;
    if (*own) copy[kept++] = *own;
    return copy;
}

/* Everything from fd until its end or the deadline. */
static char *read_until(int fd, double deadline, bool *timed_out)
{
    size_t bytes = 0, capacity = 65536;
    char *text = malloc(capacity);
    while (text) {
        const double left = deadline - monotonic_seconds();
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        const int ready = left > 0 ? poll(&wait, 1, (int)(left * 1000) + 1) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready == 0) *timed_out = true;
        if (ready <= 0) break;
        if (capacity - bytes < 2) {
            char *larger = realloc(text, capacity *= 2);
            if (!larger) break;
            text = larger;
        }
        const ssize_t got = read(fd, text + bytes, capacity - bytes - 1);
        if (got <= 0) break;
        bytes += (size_t)got;
    }
    if (text) text[bytes] = '\0';
    return text;
}

static pid_t start(const char *path, char *const *argv, char **environment, int out_fd)
{
    pid_t child = -1;
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions)) return -1;
    posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&child, path, &actions, NULL, argv, environment)) child = -1;
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

static void collect(pid_t child, child_result *out)
{
    int status = 0;
    if (out->timed_out) kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status)) out->exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) out->signal = WTERMSIG(status);
}

bool run_self(const char *const *arguments, const char *name, const char *value, int seconds, child_result *out)
{
    return run_program("/proc/self/exe", arguments, name, value, seconds, out);
}

bool run_program(const char *path, const char *const *arguments, const char *name, const char *value, int seconds, child_result *out)
{
    *out = (child_result){ .exit_code = -1 };
    size_t count = 0;
    while (arguments[count]) count++;
    int ends[2] = { -1, -1 };
    char *own = NULL, **argv = calloc(count + 2, sizeof *argv), **environment = environment_with(name, value, &own);
    pid_t child = -1;
    if (argv && environment && pipe2(ends, O_CLOEXEC) == 0) {
        argv[0] = (char[]){ "clgrad" };
        memcpy(argv + 1, arguments, count * sizeof *argv);
        child = start(path, argv, environment, ends[1]);
        close(ends[1]);
        if (child > 0) {
            out->output = read_until(ends[0], monotonic_seconds() + seconds, &out->timed_out);
            collect(child, out);
        }
        close(ends[0]);
    }
    free(own), free(argv), free(environment);
    return child > 0;
}

char *find_beside(const char *first_place, const char *second_place)
{
    const char *const places[] = { first_place, second_place };
    char *self = realpath("/proc/self/exe", NULL), *slash = self ? strrchr(self, '/') : NULL;
    char *found = NULL;
    if (slash) *slash = '\0';
    for (size_t i = 0; slash && !found && i < 2; i++) {
        if (asprintf(&found, "%s/../%s", self, places[i]) < 0) found = NULL;
        if (found && access(found, X_OK) != 0) free(found), found = NULL;
    }
    free(self);
    return found;
}

/* The first "model name" of /proc/cpuinfo. */
static void read_cpu_name(char *name, size_t bytes)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(name, bytes, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(name, bytes, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file) fclose(file);
}

void describe_machine(machine *out)
{
    struct utsname facts = { .sysname = "unknown" };
    uname(&facts);
    snprintf(out->system, sizeof out->system, "%.40s %.70s %.40s", facts.sysname, facts.release, facts.machine);
    read_cpu_name(out->cpu, sizeof out->cpu);
    out->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    out->memory_bytes = (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

static bool append(char ***list, size_t *count, char *item)
{
    char **larger = item ? realloc(*list, (*count + 2) * sizeof *larger) : NULL;
    if (!larger) return free(item), false;
    larger[(*count)++] = item;
    larger[*count] = NULL;
    *list = larger;
    return true;
}

static int is_icd(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".icd") == 0;
}

char **list_icd_files(void)
{
    const char *place = getenv("OCL_ICD_VENDORS");
    if (!place || !*place) place = "/etc/OpenCL/vendors";
    char **list = calloc(1, sizeof *list);
    size_t count = 0;
    struct stat facts;
    if (!list || stat(place, &facts) != 0) return list;
    if (!S_ISDIR(facts.st_mode)) return append(&list, &count, strdup(place)), list;
    struct dirent **names = NULL;
    const int found = scandir(place, &names, is_icd, alphasort);
    for (int i = 0; i < found; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", place, names[i]->d_name) >= 0) append(&list, &count, path);
        free(names[i]);
    }
    free(names);
    return list;
}

void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++) free(list[i]);
    free(list);
}

char *make_directory(void)
{
    const char *temporary = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/clgrad-XXXXXX", temporary && *temporary ? temporary : "/tmp") < 0) return NULL;
    if (!mkdtemp(path)) return free(path), NULL;
    return path;
}

char *make_link_directory(char *const *files)
{
    char *path = make_directory();
    for (size_t i = 0; path && files[i]; i++) {
        char *real = realpath(files[i], NULL), *name = NULL;
        const char *slash = strrchr(files[i], '/');
        if (asprintf(&name, "%s/%s", path, slash ? slash + 1 : files[i]) < 0) name = NULL;
        if (!real || !name || symlink(real, name) != 0) fprintf(stderr, "clgrad: cannot link %s\n", files[i]);
        free(real), free(name);
    }
    return path;
}

static int is_entry(const struct dirent *entry) { return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0; }

void remove_directory(char *path)
{
    struct dirent **names = NULL;
    const int found = path ? scandir(path, &names, is_entry, NULL) : 0;
    for (int i = 0; i < found; i++) {
        char *name = NULL;
        if (asprintf(&name, "%s/%s", path, names[i]->d_name) >= 0) unlink(name);
        free(name), free(names[i]);
    }
    free(names);
    if (path) rmdir(path);
    free(path);
}
