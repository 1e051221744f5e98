/* probe: a process of its own that pings the server all the time, to see for how long nobody is served.
 *
 * From outside, so that it asks the same of every server; in a process of its own, so that it doesn't wait for a
 * generator that is busy. On a machine whose cores are all busy it counts the time until it gets one: the limit's
 * figure says how much that is.
 */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../wire/websocket.h"

#define BETWEEN 2 /* ms, from an answer to the next ping */

static struct found {
    uint64_t longest, answered; /* nanoseconds; pings */
    int error;                  /* errno, or -1 if the server has closed */
} *found;                       /* shared by both processes */
static pid_t child;
static int socket_fd, stop_pipe[2];

/* Wait for input or the end. Returns false at the end. */
static bool await(int milliseconds, bool *readable)
{
    struct pollfd both[] = {{.fd = stop_pipe[0], .events = POLLIN}, {.fd = socket_fd, .events = readable ? POLLIN : 0}};
    poll(both, readable ? 2 : 1, milliseconds);
    if (readable)
        *readable = both[1].revents;
    return !both[0].revents;
}

/* Read until a PONG is there; what else the server says is passed over. Returns false at the end. */
static bool await_pong(void)
{
    static uint8_t input[65536];
    static size_t length;
    struct frame frame;
    for (bool readable;;) {
        if (!await(-1, &readable))
            return false;
        ssize_t got = readable ? recv(socket_fd, input + length, sizeof input - length, MSG_DONTWAIT) : 0;
        if (readable && got <= 0)
            return found->error = got ? errno : -1, false;
        length += (size_t)got;
        size_t used = 0;
        bool answered = false;
        while (frame_take(input + used, length - used, false, sizeof input - 16, &frame) == FRAME_COMPLETE) {
            used += frame.whole;
            answered |= frame.opcode == PONG_FRAME;
        }
        memmove(input, input + used, length -= used);
        if (answered)
            return true;
    }
}

static void ping_until_stopped(void)
{
    struct bytes ping = {0};
    bool more = true;
    frame_append(&ping, PING_FRAME, NULL, 0, true);
    while (more) {
        uint64_t begin = now();
        if (send(socket_fd, ping.at, ping.length, MSG_NOSIGNAL) < 0) {
            found->error = errno;
            return;
        }
        more = await_pong();
        /* One that is still on its way at the end has taken at least as long. */
        uint64_t took = now() - begin;
        if (took > found->longest)
            found->longest = took;
        found->answered += more;
        more = more && await(BETWEEN, NULL);
    }
}

bool probe_start(struct session *session)
{
    found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED || pipe2(stop_pipe, O_CLOEXEC))
        return fault("the probe: %s", strerror(errno)), false;
    pid_t parent = getpid();
    socket_fd = connection_release(&session->connection);
    child = fork();
    if (child < 0)
        return fault("the probe: %s", strerror(errno)), false;
    if (!child) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(stop_pipe[1]);
        if (getppid() == parent)
            ping_until_stopped();
        _exit(0);
    }
    close(stop_pipe[0]);
    return true;
}

void probe_stop(struct report *report)
{
    close(stop_pipe[1]);
    waitpid(child, NULL, 0);
    close(socket_fd);
    report->pause = (double)found->longest / 1e9;
    if (found->error)
        fault("the probe: %s", found->error < 0 ? "closed by the server" : strerror(found->error));
    else if (!found->answered)
        fault("the probe: the server answered no ping");
}
