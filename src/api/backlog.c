#include "api/backlog.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of a listening socket, the receive queue is the number of waiting connections, and the send queue is the limit. */
static int64_t queue_of(const struct nlmsghdr *header, int64_t *max_r)
{
    const struct unix_diag_msg *message = NLMSG_DATA(header);
    size_t size = header->nlmsg_len - NLMSG_LENGTH(sizeof *message);
    const struct rtattr *attribute = (const struct rtattr *)(const void *)(message + 1);
    for (; RTA_OK(attribute, size); attribute = RTA_NEXT(attribute, size)) {
        if (attribute->rta_type == UNIX_DIAG_RQLEN) {
            const struct unix_diag_rqlen *length = RTA_DATA(attribute);
            *max_r = length->udiag_wqueue;
            return length->udiag_rqueue;
        }
    }
    return -1;
}

int64_t backlog_length(int64_t inode, int64_t *max_r)
{
    struct {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } question;
    *max_r = -1;
    if (inode <= 0 || inode > UINT32_MAX) {
        return -1;
    }
    memset(&question, 0, sizeof question);
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.request.sdiag_family = AF_UNIX;
    question.request.udiag_states = ~0U;
    question.request.udiag_ino = (uint32_t)inode;
    question.request.udiag_show = UDIAG_SHOW_RQLEN;
    question.request.udiag_cookie[0] = question.request.udiag_cookie[1] = ~0U;
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (netlink < 0) {
        return -1;
    }
    int64_t queue = -1;
    _Alignas(struct nlmsghdr) char answer[1024];
    const struct timeval patience = {1, 0};
    setsockopt(netlink, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (send(netlink, &question, sizeof question, 0) == (ssize_t)sizeof question) {
        ssize_t got = recv(netlink, answer, sizeof answer, 0);
        const struct nlmsghdr *header = (const void *)answer;
        if (got > 0 && NLMSG_OK(header, (size_t)got) && header->nlmsg_type == SOCK_DIAG_BY_FAMILY) {
            queue = queue_of(header, max_r);
        }
    }
    close(netlink);
    return queue;
}
