/* connection: a non-blocking TCP socket under epoll, with what came in incomplete and what could not leave yet. */
#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROUND 512            /* events taken from one call of epoll */
#define READ_AT_ONCE 262144  /* bytes */

static int epoll_fd = -1;
static int listening_fd;
static uint8_t input[2 * LONGEST_MESSAGE];

bool connection_setup(void)
{
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd >= 0;
}

int connection_listen(int port, int *listener)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    /* The listener is told from connections by a pointer that no connection has. */
    struct epoll_event watch = {.events = EPOLLIN, .data.ptr = &listening_fd};
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096) ||
        getsockname(fd, (struct sockaddr *)&address, &size) || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &watch))
        return -1;
    *listener = listening_fd = fd;
    return ntohs(address.sin_port);
}

bool connection_watch(struct connection *connection, int fd, bool writable)
{
    int yes = 1;
    struct epoll_event watch = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = connection};
    connection->fd = fd;
    connection->waits_to_send = writable;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return !epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &watch);
}

static int wait_for(struct epoll_event *happened, int64_t nanoseconds)
{
    struct timespec timeout = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    int count = epoll_pwait2(epoll_fd, happened, ROUND, nanoseconds < 0 ? NULL : &timeout, NULL);
    if (count < 0 && errno == ENOSYS) /* Linux before 5.11 */
        count = epoll_wait(epoll_fd, happened, ROUND, nanoseconds < 0 ? -1 : (int)((nanoseconds + 999999) / 1000000));
    return count;
}

void connection_poll(const struct events *events, int64_t nanoseconds)
{
    struct epoll_event happened[ROUND];
    int count = wait_for(happened, nanoseconds);
    for (int i = 0; i < count; i++) {
        struct connection *connection = happened[i].data.ptr;
        if (happened[i].data.ptr == &listening_fd) {
            events->acceptable(listening_fd);
            continue;
        }
        bool readable = happened[i].events & ~(uint32_t)EPOLLOUT;
        if (connection->fd >= 0 && happened[i].events & EPOLLOUT)
            events->writable(connection);
        if (readable && connection->fd >= 0)
            events->readable(connection);
    }
}

static void await_output(struct connection *connection, bool wanted)
{
    struct epoll_event watch = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = connection};
    if (connection->waits_to_send == wanted)
        return;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &watch);
    connection->waits_to_send = wanted;
}

/* How much went. An error counts as nothing sent: reading will meet it too, and says what it is. */
static size_t send_now(struct connection *connection, const void *from, size_t length)
{
    ssize_t sent = send(connection->fd, from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? 0 : (size_t)sent;
}

void connection_send(struct connection *connection, const void *from, size_t length)
{
    if (connection->fd < 0)
        return;
    size_t sent = connection->out.length ? 0 : send_now(connection, from, length);
    if (sent == length)
        return;
    bytes_append(&connection->out, (const uint8_t *)from + sent, length - sent);
    await_output(connection, true);
}

void connection_queue(struct connection *connection, const void *from, size_t length)
{
    bytes_append(&connection->out, from, length);
}

void connection_flush(struct connection *connection)
{
    if (connection->fd < 0)
        return;
    if (connection->out.length)
        bytes_drop(&connection->out, send_now(connection, connection->out.at, connection->out.length));
    await_output(connection, connection->out.length > 0);
}

bool connection_receive(struct connection *connection, size_t (*take)(struct connection *, uint8_t *, size_t))
{
    size_t length = connection->in.length;
    if (length)
        memcpy(input, connection->in.at, length);
    ssize_t got = recv(connection->fd, input + length, READ_AT_ONCE, MSG_DONTWAIT);
    if (got <= 0) {
        bool again = got < 0 && (errno == EAGAIN || errno == EINTR);
        if (!got)
            errno = 0;
        return again;
    }
    length += (size_t)got;
    size_t used = take(connection, input, length);
    connection->in.length = 0;
    if (connection->fd >= 0)
        bytes_append(&connection->in, input + used, length - used);
    return true;
}

int connection_release(struct connection *connection)
{
    int fd = connection->fd;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    connection->fd = -1;
    connection_close(connection);
    return fd;
}

void connection_close(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    bytes_free(&connection->in);
    bytes_free(&connection->out);
}
