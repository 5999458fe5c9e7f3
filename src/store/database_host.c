/* database_host.c: checks the hosts of database_host, for `roster -t`. */
#include <string.h>

#include "config/config.h"
#include "store/database_internal.h"

void database_look_at_host(struct context *context, size_t host, struct database_host *host_r)
{
    const struct config *config = context->config;
    struct server_facts facts;
    *host_r = (struct database_host){
        .where = config->database_host.count > 0 ? config->database_host.items[host] : config->database_socket,
        .condition = DATABASE_AWAY,
    };
    struct error error;
    MYSQL *mysql = database_connect_to(context, host, &error);
    if (mysql == NULL) {
        host_r->is_refused = database_refuses_account(&error) || strstr(error.text, "[1049]") != NULL;
        host_r->error = text_copy(context->arena, text_of(error.text)).data;
        return;
    }
    host_r->version = text_copy(context->arena, text_of(mysql_get_server_info(mysql))).data;
    if (database_ask_server(context, mysql, &facts, &error)) {
        host_r->condition = DATABASE_PRESENT;
        host_r->packet_bytes = facts.packet_bytes;
        host_r->is_cluster = facts.is_cluster;
        if (facts.is_stranded) {
            host_r->condition = DATABASE_STRANDED;
            host_r->error = database_condition_text(DATABASE_STRANDED);
            host_r->cure =
                "restore the network between the nodes, or, if the others are lost, make this node a cluster "
                "of its own: SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'";
        } else if (facts.locked != NULL) {
            host_r->condition = DATABASE_READ_ONLY;
            host_r->error = text_format(context->arena, "it is read-only (%s)", facts.locked).data;
            host_r->cure = facts.cure;
        }
    } else {
        host_r->error = text_copy(context->arena, text_of(error.text)).data;
    }
    mysql_close(mysql);
}
