/* load: a load generator over WebSocket, for WAMP and its competitors, that costs far less than the servers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../wire/connection.h"
#include "scenario.h"

static const struct {
    const char *name;
    void (*run)(const struct options *, struct report *);
} scenarios[] = {{"fanout", scenario_fanout}, {"calls", scenario_calls}, {"join", scenario_join}, {"storm", scenario_storm}, {"idle", scenario_idle}};

int main(int count, char **words)
{
    static struct report report;
    static struct options options;
    if (!options_read(&options, count, words))
        return 2;
    if (!connection_setup()) {
        perror("load: cannot set up epoll");
        return 1;
    }
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (!strcmp(options.scenario, scenarios[i].name)) {
            scenarios[i].run(&options, &report);
            report_print(&report, &options);
            return faults() ? 1 : 0;
        }
    fprintf(stderr, "load: there is no scenario %s\n%s", options.scenario, options_usage);
    return 2;
}
