/* mailer.c: see mailer.h. A mail is taken for longer than sending it can take, so no other process sends it meanwhile;
 * one that dies behind the program's answer, and before it has deleted the row, has it sent twice. */
#include "worker/mailer.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mail_message.h"
#include "base/mail_template.h"
#include "config/config_mail.h"
#include "store/mail_store.h"
#include "worker/sendmail.h"

enum { ROUND_MILLISECONDS = 1000, LEASE_SLACK_SECONDS = 60, CLEAN_SECONDS = 600, NAME_MAX_CHARACTERS = 60 };

bool mailer_is_wanted(const struct config *config)
{
    return config->sends_mail;
}

/* Behind the first, second, … attempt. */
static int64_t pause_after(int64_t attempts)
{
    static const int64_t seconds[] = {10, 60, 300, 900, 1800, 3600};
    const size_t last = ARRAY_COUNT(seconds) - 1;
    return seconds[attempts - 1 < (int64_t)last ? (size_t)(attempts - 1) : last];
}

static void set_values(struct context *context, const struct mail_taken *mail, struct text values_r[static MAIL_VALUES])
{
    const struct config *config = context->config;
    const enum mail_link link = mail_rows[mail->kind].link;
    struct arena *arena = context->arena;
    values_r[MAIL_VALUE_name] = text_cut_characters(mail->name, NAME_MAX_CHARACTERS);
    values_r[MAIL_VALUE_email] = mail->email;
    values_r[MAIL_VALUE_site] = text_of(config->site_name);
    values_r[MAIL_VALUE_url] = text_of(config->public_url);
    values_r[MAIL_VALUE_link] = TEXT_NULL;
    values_r[MAIL_VALUE_expires] = TEXT_NULL;
    values_r[MAIL_VALUE_time] = mail_message_moment(arena, mail->created_at);
    values_r[MAIL_VALUE_address] = mail->client_address.data != NULL ? mail->client_address : TEXT("-");
    values_r[MAIL_VALUE_device] = mail->user_agent.data != NULL ? mail->user_agent : TEXT("-");
    if (link != MAIL_LINK_NONE) {
        values_r[MAIL_VALUE_link] = config_mail_link(arena, config, link, mail->secret);
        values_r[MAIL_VALUE_expires] =
            mail_message_moment(arena, context->now_seconds + config_mail_lifetime(config, link));
    }
}

/* The null text: it can't be made; the error says why. *is_hopeless_r: nor will it ever be. */
static struct text render(struct context *context, const struct mail_taken *mail, bool *is_hopeless_r,
                          struct error *error)
{
    const struct config *config = context->config;
    struct mail_template template;
    struct text values[MAIL_VALUES];
    *is_hopeless_r = false;
    if (!mail_template_read(context->arena, config->mail_directory, config->mail_language, mail->kind, &template,
                            error)) {
        return TEXT_NULL;
    }
    set_values(context, mail, values);
    const struct mail_message message = {
        .from = config_mail_from(context->arena, config),
        .site = text_of(config->site_name),
        .to = mail->to,
        .host = config_mail_host(context->arena, config),
        .subject = mail_template_fill(context->arena, template.subject, values, false),
        .text = mail_template_fill(context->arena, template.text, values, false),
        .html = mail_template_fill(context->arena, template.html, values, true),
        .date = context->now_seconds,
    };
    const struct text composed = mail_message_compose(context->arena, &message);
    if (composed.data == NULL) {
        error_set(error, "its address can't stand in a mail");
        *is_hopeless_r = true;
    }
    return composed;
}

static void give_up(struct context *context, const struct mail_taken *mail, const struct error *why)
{
    log_error(context, "mail %lld (%s) is given up: %s", (long long)mail->id, mail_rows[mail->kind].name, why->text);
    mail_store_failed(context, mail, -1, text_of(why->text));
}

static void try_again(struct context *context, const struct mail_taken *mail, int64_t pause, const struct error *why)
{
    log_warning(context, "mail %lld (%s) could not be sent, and is tried again in %lld s: %s", (long long)mail->id,
                mail_rows[mail->kind].name, (long long)pause, why->text);
    mail_store_failed(context, mail, context->now_seconds + pause, text_of(why->text));
}

static void send(struct helper_process *process, struct context *context, const struct mail_taken *mail)
{
    struct error why;
    bool is_hopeless;
    const struct text message = render(context, mail, &is_hopeless, &why);
    enum sendmail_result result = message.data != NULL ? sendmail_run(process, message, &why)
                                  : is_hopeless        ? SENDMAIL_REFUSED
                                                       : SENDMAIL_LATER;
    context->now_seconds = clock_wall_seconds();
    switch (result) {
    case SENDMAIL_TAKEN:
        log_info(context, "mail %lld (%s) is sent", (long long)mail->id, mail_rows[mail->kind].name);
        mail_store_sent(context, mail);
        break;
    case SENDMAIL_LATER:
        try_again(context, mail, pause_after(mail->attempts), &why);
        break;
    case SENDMAIL_REFUSED:
        give_up(context, mail, &why);
        break;
    case SENDMAIL_ENDS: /* the next process sends it */
        mail_store_failed(context, mail, context->now_seconds, TEXT("the service ended meanwhile"));
        break;
    }
}

/* Sends what is due. */
static void send_due(struct helper_process *process)
{
    enum mail_take take;
    do {
        struct context context = {
            .arena = process->arena, .config = process->config, .stage = "mail", .now_seconds = clock_wall_seconds()};
        struct mail_taken mail;
        const int64_t lease = sendmail_seconds(process->config) + LEASE_SLACK_SECONDS;
        if (mail_store_take(&context, lease, &take, &mail) == OK && take == MAIL_TAKE_SEND) {
            send(process, &context, &mail);
        }
        database_wipe();
        arena_reset(process->arena);
    } while (take != MAIL_TAKE_NONE && process->told == SIGNALS_NOTHING);
}

static void clean(struct helper_process *process)
{
    static int64_t next;
    struct context context = {
        .arena = process->arena, .config = process->config, .stage = "mail", .now_seconds = clock_wall_seconds()};
    if (context.now_seconds >= next) {
        next = context.now_seconds + CLEAN_SECONDS;
        mail_store_clean(&context);
        arena_reset(process->arena);
    }
}

int mailer_run(const struct config *given)
{
    enum { CONNECT_SECONDS = 1, READ_SECONDS = 4 };
    struct helper_process process;
    if (!helper_process_begin(given, "mailer", CONNECT_SECONDS, READ_SECONDS, &process)) {
        return EXIT_FAILURE;
    }
    do {
        if (process.config->sends_mail) {
            send_due(&process);
            clean(&process);
        }
    } while (helper_process_wait(&process, ROUND_MILLISECONDS) == SIGNALS_NOTHING);
    helper_process_end(&process);
    return EXIT_SUCCESS;
}
