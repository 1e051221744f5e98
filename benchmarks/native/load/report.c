/* report: what a run found, and what was wrong in it. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>

static uint64_t fault_count;
static char first_fault[512];

void fault(const char *format, ...)
{
    va_list values;
    if (fault_count++)
        return;
    va_start(values, format);
    vsnprintf(first_fault, sizeof first_fault, format, values);
    va_end(values);
}

uint64_t faults(void)
{
    return fault_count;
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        /* A server's bytes may be anything; what isn't plain ASCII would spoil the line. */
        putchar(*text < ' ' || *text > '~' ? '?' : *text);
    }
    putchar('"');
}

/* The curve of latencies, as pairs of a share of all operations and microseconds. */
static void print_latency(const struct histogram *latency)
{
    static const double shares[] = {.001, .01, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .98, .99, .995, .999, .9999, 1};
    printf(",\"latency\":[");
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        printf("%s[%g,%.1f]", i ? "," : "", shares[i], histogram_share(latency, shares[i]));
    putchar(']');
}

static double per(double amount, double operations)
{
    return operations > 0 ? amount / operations : 0;
}

void report_used(struct report *report, struct used before, struct used after, double span)
{
    report->span = span;
    report->user = after.user - before.user;
    report->system = after.system - before.system;
    report->generator = after.generator - before.generator;
    report->others = after.machine - before.machine - report->generator - report->user - report->system;
}

void report_print(const struct report *report, const struct options *options)
{
    double operations = (double)report->operations, cpu = report->user + report->system;
    printf("{\"ok\":%s,\"scenario\":\"%s\"", fault_count ? "false" : "true", options->scenario);
    printf(",\"operations\":%.0f,\"seconds\":%.3f,\"per_second\":%.1f", operations, report->seconds,
           per(operations, report->seconds));
    printf(",\"cpu_us\":%.4f,\"cpu_user_us\":%.4f,\"cpu_load\":%.3f", per(cpu * 1e6, operations),
           per(report->user * 1e6, operations), per(cpu, report->span));
    printf(",\"generator_load\":%.3f,\"others_load\":%.3f", per(report->generator, report->span),
           per(report->others, report->span));
    printf(",\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"longest_us\":%.1f", histogram_share(&report->latency, .5),
           histogram_share(&report->latency, .99), histogram_share(&report->latency, .999),
           (double)report->latency.longest / 1000);
    printf(",\"bytes_per_connection\":%.0f,\"idle_load\":%.4f", report->bytes_per_connection, report->idle_load);
    printf(",\"grown_bytes\":%.0f,\"pause_us\":%.0f", report->grown, report->pause * 1e6);
    print_latency(&report->latency);
    printf(",\"sent\":%llu,\"acknowledged\":%llu,\"received\":%llu", (unsigned long long)report->sent,
           (unsigned long long)report->acknowledged, (unsigned long long)report->received);
    printf(",\"faults\":%llu,\"fault\":", (unsigned long long)fault_count);
    print_text(first_fault);
    printf("}\n");
}
