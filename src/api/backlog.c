#include "api/backlog.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The length of the receive queue of a listening socket whose file has this inode; -1 where the message is of another. */
static int64_t queue_of(const struct nlmsghdr *header, uint32_t inode)
{
    const struct unix_diag_msg *message = NLMSG_DATA(header);
    size_t size = header->nlmsg_len - NLMSG_LENGTH(sizeof *message);
    const struct rtattr *attribute = (const struct rtattr *)(const void *)(message + 1);
    bool ours = false;
    int64_t queue = -1;
    for (; RTA_OK(attribute, size); attribute = RTA_NEXT(attribute, size)) {
        if (attribute->rta_type == UNIX_DIAG_VFS) {
            const struct unix_diag_vfs *file = RTA_DATA(attribute);
            ours = file->udiag_vfs_ino == inode;
        } else if (attribute->rta_type == UNIX_DIAG_RQLEN) {
            const struct unix_diag_rqlen *length = RTA_DATA(attribute);
            queue = length->udiag_rqueue;
        }
    }
    return ours ? queue : -1;
}

int64_t backlog_length(const char *path)
{
    struct {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } question;
    struct stat status;
    memset(&question, 0, sizeof question);
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    question.request.sdiag_family = AF_UNIX;
    question.request.udiag_states = 1U << 10; /* TCP_LISTEN */
    question.request.udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN;
    int netlink = stat(path, &status) == 0 ? socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG) : -1;
    if (netlink < 0) {
        return -1;
    }
    int64_t queue = -1;
    bool more = send(netlink, &question, sizeof question, 0) == (ssize_t)sizeof question;
    while (more) {
        _Alignas(struct nlmsghdr) char answer[8192];
        ssize_t got = recv(netlink, answer, sizeof answer, 0);
        size_t size = got > 0 ? (size_t)got : 0;
        more = size > 0;
        for (const struct nlmsghdr *header = (const void *)answer; NLMSG_OK(header, size); header = NLMSG_NEXT(header, size)) {
            if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
                more = false;
                break;
            }
            int64_t found = queue_of(header, (uint32_t)status.st_ino);
            queue = found >= 0 ? found : queue;
        }
    }
    close(netlink);
    return queue;
}
