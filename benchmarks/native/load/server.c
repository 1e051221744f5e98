/* server: what the server's processes and the whole machine have used so far, from /proc. */
#include "server.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "report.h"

/* Returns false, with an empty text, if the file can't be read. */
static bool read_text_file(const char *path, char *to, size_t room)
{
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(to, 1, room - 1, file) : 0;
    if (file)
        fclose(file);
    to[length] = 0;
    return length > 0;
}

static bool read_proc(pid_t process, const char *name, char *to, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process, name);
    return read_text_file(path, to, room);
}

static double seconds(unsigned long ticks)
{
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void add_server(pid_t process, struct used *used)
{
    char stat[1024];
    unsigned long user, system;
    read_proc(process, "stat", stat, sizeof stat);
    /* The name, in parentheses, may contain anything; utime and stime are the 14th and 15th field. */
    char *name_end = strrchr(stat, ')');
    if (!name_end || sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
        fault("the server's process %d is gone", (int)process);
        return;
    }
    used->user += seconds(user);
    used->system += seconds(system);
}

static double generator_used(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double machine_used(void)
{
    char stat[512];
    unsigned long user, nice, system, idle, io, hard, soft;
    read_text_file("/proc/stat", stat, sizeof stat);
    if (sscanf(stat, "cpu %lu %lu %lu %lu %lu %lu %lu", &user, &nice, &system, &idle, &io, &hard, &soft) != 7)
        return 0;
    return seconds(user + nice + system + hard + soft);
}

/* smaps_rollup walks the pages; the counters in `status` may lag by some hundred kilobytes. */
static unsigned long memory_of(pid_t process)
{
    char text[4096];
    unsigned long kilobytes;
    char *line = read_proc(process, "smaps_rollup", text, sizeof text) ? strstr(text, "\nRss:") : NULL;
    if (!line && read_proc(process, "status", text, sizeof text))
        line = strstr(text, "\nVmRSS:");
    if (!line || sscanf(strchr(line, ':') + 1, "%lu", &kilobytes) != 1)
        return 0;
    return kilobytes * 1024;
}

unsigned long server_memory(const struct options *options)
{
    unsigned long bytes = 0;
    for (unsigned i = 0; i < options->process_count; i++)
        bytes += memory_of(options->processes[i]);
    return bytes;
}

unsigned long server_peak(const struct options *options)
{
    unsigned long bytes = 0, kilobytes;
    char text[4096];
    for (unsigned i = 0; i < options->process_count; i++) {
        char *line = read_proc(options->processes[i], "status", text, sizeof text) ? strstr(text, "\nVmHWM:") : NULL;
        if (line && sscanf(line + 7, "%lu", &kilobytes) == 1)
            bytes += kilobytes * 1024;
    }
    return bytes;
}

void server_forget_peak(const struct options *options)
{
    char path[64];
    for (unsigned i = 0; i < options->process_count; i++) {
        snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)options->processes[i]);
        FILE *file = fopen(path, "w");
        if (!file)
            continue; /* not ours: the peak then is that of its whole life */
        fputs("5", file);
        fclose(file);
    }
}

struct used used_so_far(const struct options *options)
{
    struct used used = {.generator = generator_used(), .machine = machine_used()};
    for (unsigned i = 0; i < options->process_count; i++)
        add_server(options->processes[i], &used);
    return used;
}
