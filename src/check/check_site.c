#include "check/check_site.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/host_port.h"

enum { FRESH_SECONDS = 10, RELOAD_MILLISECONDS = 200, RELOAD_LOOKS = 10 };

enum {
    ANSWER_SECONDS = 5,
    CLOCK_SECONDS = 5,
    CERTIFICATE_DAYS = 14,
    DAY = 86400,
    GROUPS_MAX = 64,
    HEAD_MAX = 16384,
    PROC_MAX = 8192,
    PROC_STAT_MAX = 1 << 20
};

/* The same in another environment than Debian's is for those who have it to know. */
static const char start_nginx[] = "systemctl start nginx";
static const char reload_nginx[] = "nginx -t && systemctl reload nginx";

/* ---- The processes ---- */

struct nginx_user {
    uid_t uid;
    gid_t gid;
    gid_t groups[GROUPS_MAX];
    size_t group_count;
    char name[64];
};

struct nginx_process {
    pid_t master;
    pid_t worker;       /* the last one that was started; 0: none */
    int64_t started_at; /* the worker, in epoch seconds */
};

/* A file of /proc, whose size is not known before. */
static bool read_proc(struct arena *arena, const char *path, size_t max, struct text *text_r)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    bool good = descriptor >= 0 && file_read_descriptor(arena, descriptor, max, text_r);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return good;
}

/* The text of /proc/PID/NAME. */
static bool read_process(struct arena *arena, pid_t pid, const char *name, struct text *text_r)
{
    return read_proc(arena, text_format(arena, "/proc/%d/%s", (int)pid, name).data, PROC_MAX, text_r);
}

/* The field of /proc/PID/stat at this place, counted after the name: 1 is the parent, 19 the moment of the start. */
static int64_t stat_field(struct arena *arena, pid_t pid, unsigned place)
{
    struct text content;
    const char *at = read_process(arena, pid, "stat", &content) ? strrchr(content.data, ')') : NULL;
    for (unsigned i = 0; at != NULL && i <= place; i++) {
        at = strchr(at + 1, ' ');
    }
    return at != NULL ? strtoll(at + 1, NULL, 10) : -1;
}

static int64_t boot_seconds(struct arena *arena)
{
    struct text content;
    const char *at = read_proc(arena, "/proc/stat", PROC_STAT_MAX, &content) ? strstr(content.data, "\nbtime ") : NULL;
    return at != NULL ? strtoll(at + 7, NULL, 10) : 0;
}

/* The worker that was started last: each reload starts new ones. */
static void find_worker(struct arena *arena, struct nginx_process *process)
{
    struct dirent *entry;
    DIR *opened = opendir("/proc");
    int64_t started = -1;
    while (opened != NULL && (entry = readdir(opened)) != NULL) {
        const pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 0 && stat_field(arena, pid, 1) == process->master && stat_field(arena, pid, 19) > started) {
            started = stat_field(arena, pid, 19);
            process->worker = pid;
        }
    }
    if (opened != NULL) {
        closedir(opened);
    }
    process->started_at = boot_seconds(arena) + started / sysconf(_SC_CLK_TCK);
}

static bool find_nginx(struct arena *arena, const struct nginx_site *site, struct nginx_process *process_r)
{
    struct text pid, name;
    *process_r = (struct nginx_process){0};
    if (!file_read(arena, site->pid_path, &pid)) {
        return false;
    }
    process_r->master = (pid_t)atoi(pid.data);
    if (process_r->master <= 1 || !read_process(arena, process_r->master, "comm", &name) ||
        !text_starts_with(name, "nginx")) {
        return false;
    }
    find_worker(arena, process_r);
    return true;
}

/* The numbers of a line of /proc/PID/status: "Uid:", "Groups:". */
static size_t read_ids(const char *status, const char *name, gid_t *ids_r, size_t max)
{
    const char *at = strstr(status, name);
    size_t count = 0;
    at = at != NULL ? at + strlen(name) : "";
    while (count < max && (at += strspn(at, " \t")) && *at >= '0' && *at <= '9') {
        char *end;
        ids_r[count++] = (gid_t)strtoul(at, &end, 10);
        at = end;
    }
    return count;
}

/* The user whom the workers of nginx run as: whatever its configuration says. */
static bool read_user(struct arena *arena, pid_t worker, struct nginx_user *user_r)
{
    struct text status;
    gid_t ids[2];
    if (worker == 0 || !read_process(arena, worker, "status", &status) || read_ids(status.data, "\nUid:", ids, 2) < 2) {
        return false;
    }
    user_r->uid = ids[1]; /* the effective one */
    if (read_ids(status.data, "\nGid:", ids, 2) < 2) {
        return false;
    }
    user_r->gid = ids[1];
    user_r->group_count = read_ids(status.data, "\nGroups:", user_r->groups, GROUPS_MAX);
    const struct passwd *entry = getpwuid(user_r->uid);
    snprintf(user_r->name, sizeof user_r->name, entry != NULL ? "%s" : "%.0s%lu", entry != NULL ? entry->pw_name : "",
             (unsigned long)user_r->uid);
    return true;
}

/* ---- The sockets ---- */

/* 0, or why not. */
static int try_to_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int failure = descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0 ? errno : 0;
    if (descriptor >= 0) {
        close(descriptor);
    }
    return failure;
}

/* The same as another user, in a process of its own. */
static int try_as(const struct nginx_user *user, const char *path)
{
    if (geteuid() != 0) {
        return try_to_connect(path);
    }
    pid_t child = fork();
    if (child == 0) {
        if (setgroups(user->group_count, user->groups) != 0 || setgid(user->gid) != 0 || setuid(user->uid) != 0) {
            _exit(255);
        }
        _exit(try_to_connect(path));
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

/* A full queue (EAGAIN) and a service that does not run are other findings. */
static bool check_socket(struct findings *findings, struct arena *arena, const struct nginx_user *user, enum pool pool,
                         const char *path)
{
    const int failure = path[0] != '\0' ? try_as(user, path) : 0;
    if (failure != EACCES && failure != EPERM) {
        return true;
    }
    const struct group *group = getgrgid(user->gid);
    const char *name = group != NULL ? group->gr_name : user->name;
    findings_add_cure(findings, FINDING_ERROR,
                      text_format(arena,
                                  "chgrp %s %s && chmod 660 %s, and for good: listen_group = %s in roster.conf and "
                                  "SocketGroup=%s by `systemctl edit roster.socket'",
                                  name, path, path, name, name)
                          .data,
                      "nginx's user %s can't connect to %s, the socket of pool %s: %s", user->name, path,
                      pool_names[pool], strerror(failure));
    return false;
}

static void check_sockets(struct findings *findings, struct arena *arena, const struct config *config,
                          const struct nginx_user *user)
{
    bool good = true;
    if (geteuid() != 0 && geteuid() != user->uid) {
        findings_add(findings, FINDING_UNSEEN,
                     "whether nginx's user %s can connect to the sockets: only root can try it", user->name);
        return;
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        good &= check_socket(findings, arena, user, (enum pool)pool, config->pools[pool].listen);
        good &= check_socket(findings, arena, user, (enum pool)pool, config->pools[pool].listen_second);
    }
    if (good) {
        findings_add(findings, FINDING_GOOD, "nginx runs, and its user %s can connect to all sockets", user->name);
    }
}

/* ---- One request ---- */

struct connection {
    int descriptor;
    SSL_CTX *library;
    SSL *tls; /* NULL: without TLS */
    char where[300];
};

static bool open_unix(struct connection *connection, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    connection->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connection->descriptor >= 0 &&
           connect(connection->descriptor, (struct sockaddr *)&address, sizeof address) == 0;
}

/* "443", "127.0.0.1:8443", "[::1]:443", "*:443", "[::]:443": nginx's listen. Any address stands for this machine. */
static bool open_inet(struct arena *arena, struct connection *connection, const char *listen, const char *default_port)
{
    struct host_port parts = {.host = text_of(listen)};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found = NULL;
    const bool is_port = strspn(listen, "0123456789") == strlen(listen);
    if (!is_port && !host_port_split(text_of(listen), &parts)) {
        return errno = EINVAL, false;
    }
    const char *host = is_port || text_is(parts.host, "*") || text_is(parts.host, "0.0.0.0") ? "127.0.0.1"
                       : text_is(parts.host, "::")                                           ? "::1"
                                                   : text_to_string(arena, parts.host);
    const char *port = is_port ? listen : parts.port.length > 0 ? text_to_string(arena, parts.port) : default_port;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return errno = EADDRNOTAVAIL, false;
    }
    const struct timeval patience = {ANSWER_SECONDS, 0};
    connection->descriptor = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(connection->descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    bool good = connect(connection->descriptor, found->ai_addr, found->ai_addrlen) == 0;
    int failure = errno;
    freeaddrinfo(found);
    errno = failure;
    return good;
}

static bool open_connection(struct findings *findings, struct arena *arena, const struct nginx_site *site,
                            struct connection *connection)
{
    const struct timeval patience = {ANSWER_SECONDS, 0};
    snprintf(connection->where, sizeof connection->where, "%.200s", site->listen);
    bool good = strncmp(site->listen, "unix:", 5) == 0
                    ? open_unix(connection, site->listen + 5)
                    : open_inet(arena, connection, site->listen, site->has_tls ? "443" : "80");
    if (!good) {
        findings_add_cure(findings, FINDING_ERROR, "systemctl reload-or-restart nginx",
                          "nginx does not listen at %s, where %s has the site: %s", connection->where, site->path,
                          strerror(errno));
        return false;
    }
    setsockopt(connection->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(connection->descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    static const char line[] = "PROXY TCP4 127.0.0.1 127.0.0.1 1 443\r\n";
    return !site->has_proxy_protocol ||
           send(connection->descriptor, line, sizeof line - 1, MSG_NOSIGNAL) == (ssize_t)sizeof line - 1;
}

/* Certificates are looked at, not verified: a self-signed one is answered, too. */
static bool begin_tls(struct findings *findings, const struct nginx_site *site, struct connection *connection)
{
    connection->library = SSL_CTX_new(TLS_client_method());
    connection->tls = connection->library != NULL ? SSL_new(connection->library) : NULL;
    if (connection->tls == NULL || SSL_set_fd(connection->tls, connection->descriptor) != 1 ||
        SSL_set_tlsext_host_name(connection->tls, site->name) != 1 || SSL_connect(connection->tls) != 1) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        findings_add_cure(findings, FINDING_ERROR, reload_nginx, "nginx makes no TLS connection at %s: %s",
                          connection->where, reason != NULL ? reason : "it closes the connection");
        return false;
    }
    return true;
}

static int64_t days_until(const ASN1_TIME *moment)
{
    int days = 0, seconds = 0;
    return moment != NULL && ASN1_TIME_diff(&days, &seconds, NULL, moment) == 1 ? days - (days <= 0 && seconds < 0) : 0;
}

static void check_certificate(struct findings *findings, struct arena *arena, const struct nginx_site *site,
                              const struct connection *connection)
{
    X509 *certificate = SSL_get1_peer_certificate(connection->tls);
    if (certificate == NULL) {
        return;
    }
    const int64_t left = days_until(X509_get0_notAfter(certificate));
    const bool is_self_signed =
        X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
    const char *cure =
        is_self_signed
            ? text_format(arena, "apt install python3-certbot-nginx && certbot --nginx -d %s", site->name).data
            : "certbot renew && systemctl reload nginx";
    if (left < 0) {
        findings_add_cure(findings, FINDING_ERROR, cure, "the certificate of %s has expired", site->name);
    } else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
        findings_add_cure(findings, FINDING_ERROR, "timedatectl set-ntp true",
                          "the certificate of %s is not valid yet: is the clock right?", site->name);
    } else if (left < CERTIFICATE_DAYS) {
        findings_add_cure(findings, FINDING_WARNING, cure, "the certificate of %s expires in %" PRId64 " days",
                          site->name, left);
    } else if (!is_self_signed && site->has_name && X509_check_host(certificate, site->name, 0, 0, NULL) != 1) {
        findings_add_cure(findings, FINDING_WARNING, text_format(arena, "certbot --nginx -d %s", site->name).data,
                          "the certificate is not one for %s: clients refuse it", site->name);
    } else {
        findings_add(findings, FINDING_GOOD, "the certificate of %s is valid for %" PRId64 " days%s", site->name, left,
                     is_self_signed ? "; it is self-signed, so browsers warn of it" : "");
    }
    X509_free(certificate);
}

static ssize_t put(struct connection *connection, struct text text)
{
    return connection->tls != NULL ? SSL_write(connection->tls, text.data, (int)text.length)
                                   : send(connection->descriptor, text.data, text.length, MSG_NOSIGNAL);
}

static ssize_t get(struct connection *connection, char *place, size_t size)
{
    return connection->tls != NULL ? SSL_read(connection->tls, place, (int)size)
                                   : recv(connection->descriptor, place, size, 0);
}

/* The head of the answer and the beginning of its body. */
static struct text ask(struct arena *arena, const struct nginx_site *site, struct connection *connection)
{
    struct buffer in;
    buffer_init(&in, arena);
    struct text request = text_format(arena,
                                      "GET /openapi.json HTTP/1.1\r\nHost: %s\r\nUser-Agent: rosterctl doctor\r\n"
                                      "Accept-Encoding: identity\r\nConnection: close\r\n\r\n",
                                      site->name);
    ssize_t got = put(connection, request) == (ssize_t)request.length ? 1 : 0;
    while (got > 0 && in.length < HEAD_MAX) {
        got = get(connection, buffer_reserve(&in, 4096), 4096);
        in.length += got > 0 ? (size_t)got : 0;
    }
    struct text answer = buffer_text(&in);
    return answer.data != NULL ? answer : TEXT("");
}

/* RFC 9110, section 5.6.7. -1: there is none. */
static int64_t date_of(const char *answer)
{
    struct tm moment = {0};
    const char *field = strcasestr(answer, "\r\nDate: ");
    const char *end = field != NULL ? strptime(field + 8, "%a, %d %b %Y %H:%M:%S GMT", &moment) : NULL;
    return end != NULL ? (int64_t)timegm(&moment) : -1;
}

static void judge_answer(struct findings *findings, const struct nginx_site *site, const struct connection *connection,
                         const char *answer, int64_t now)
{
    const char *scheme = site->has_tls ? "https" : "http";
    const char *space = strncmp(answer, "HTTP/1.", 7) == 0 ? strchr(answer, ' ') : NULL;
    const int status = space != NULL ? atoi(space) : 0;
    if (status == 0) {
        findings_add_cure(findings, FINDING_ERROR, "tail /var/log/nginx/error.log",
                          "nginx gives no answer to a request for %s://%s at %s", scheme, site->name,
                          connection->where);
    } else if (status == 503) { /* of Roster, or of nginx in its name */
        findings_add_cure(findings, FINDING_ERROR, "systemctl status roster; tail /var/log/nginx/*error.log",
                          "%s://%s answers 503: Roster is not ready, or nginx does not reach it; the lines about "
                          "dependencies and service say why",
                          scheme, site->name);
    } else if (status == 502 || status == 504) {
        findings_add_cure(findings, FINDING_ERROR, "systemctl restart roster; tail /var/log/nginx/*error.log",
                          "%s://%s answers %d: nginx gets no answer from Roster", scheme, site->name, status);
    } else if (status != 200 || strstr(answer, "\"openapi\"") == NULL) {
        findings_add_cure(findings, FINDING_ERROR, "nginx -T",
                          "%s://%s is answered with %d, and not by Roster: nginx has another site for this name, or "
                          "has not read %s",
                          scheme, site->name, status, site->path);
    } else {
        findings_add(findings, FINDING_GOOD, "%s://%s is answered by Roster", scheme, site->name);
    }
    const int64_t date = date_of(answer);
    if (date >= 0 && llabs(date - now) > CLOCK_SECONDS) {
        findings_add_cure(findings, FINDING_WARNING, "timedatectl set-ntp true",
                          "the Date of %s://%s and the clock of this machine differ by %lld seconds", scheme,
                          site->name, llabs(date - now));
    }
}

static void check_request(struct findings *findings, struct arena *arena, const struct nginx_site *site)
{
    struct connection connection = {.descriptor = -1};
    if (open_connection(findings, arena, site, &connection) &&
        (!site->has_tls || begin_tls(findings, site, &connection))) {
        if (site->has_tls) {
            check_certificate(findings, arena, site, &connection);
        }
        const struct text answer = ask(arena, site, &connection);
        judge_answer(findings, site, &connection, answer.data, clock_wall_seconds());
    }
    SSL_free(connection.tls);
    SSL_CTX_free(connection.library);
    if (connection.descriptor >= 0) {
        close(connection.descriptor);
    }
}

/* ---- All of it ---- */

/* After a change of a moment ago nginx may be reloading: then its new workers are waited for. */
static bool has_not_read(struct arena *arena, const struct nginx_site *site, struct nginx_process *process)
{
    const struct timespec pause = {0, RELOAD_MILLISECONDS * 1000000L};
    const bool is_fresh = llabs(clock_wall_seconds() - site->changed_at) < FRESH_SECONDS;
    for (int i = 0; is_fresh && site->changed_at > process->started_at + 1 && i < RELOAD_LOOKS; i++) {
        nanosleep(&pause, NULL);
        find_worker(arena, process);
    }
    return site->changed_at > process->started_at + 1;
}

void check_site(const struct config *config, const struct nginx_site *site, struct findings *findings)
{
    struct arena *arena = arena_new(0);
    struct nginx_process process;
    struct nginx_user user;
    if (!find_nginx(arena, site, &process)) {
        findings_add_cure(findings, FINDING_ERROR, start_nginx, "nginx does not run: there is no process for %s",
                          site->pid_path);
    } else {
        if (has_not_read(arena, site, &process)) {
            findings_add_cure(findings, FINDING_WARNING, reload_nginx, "nginx has not read %s since it was changed",
                              site->changed_path);
        }
        if (read_user(arena, process.worker, &user)) {
            check_sockets(findings, arena, config, &user);
        }
        if (site->listen[0] != '\0') {
            check_request(findings, arena, site);
        }
    }
    arena_free(arena);
}
