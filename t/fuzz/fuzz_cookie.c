/* fuzz_cookie.c: the field Cookie, and the cookie of a device, which anybody can send.
 *
 * The first byte says what the rest is: 'd' sign-ins at a device, a byte each, whose cookie must then tell of them, and
 * with any other change of it must be refused; anything else, with that byte, a field. */
#include "../unit/fastcgi_streams.h"
#include "auth/device.h"
#include "config/config.h"
#include "fuzz.h"

enum { NOW = 1800000000, USERS = 8 };

static struct config config;

/* Whoever signed in last, up to DEVICE_ACCOUNTS_MAX of them, is known, and nobody else. */
static void check_accounts(struct context *context, const struct device *device, const unsigned char last[USERS])
{
    for (unsigned user = 0; user < USERS; user++) {
        unsigned later = 0;
        for (unsigned other = 0; other < USERS; other++) {
            later += last[other] > last[user];
        }
        const struct text id = text_format(context->arena, "user-%u", user);
        require(device_knows(context, device, id) == (last[user] > 0 && later < DEVICE_ACCOUNTS_MAX));
    }
}

static void check_device(struct context *context, struct text input)
{
    unsigned char last[USERS] = {0};
    struct device device = {.count = 0}, again;
    const unsigned char change = (unsigned char)fuzz_take_byte(&input), bit = (unsigned char)fuzz_take_byte(&input);
    for (unsigned char count = 1; input.length > 0 && count < 32; count++) {
        const unsigned user = (unsigned char)fuzz_take_byte(&input) % USERS;
        context->now_seconds = NOW + count;
        device_add(context, &device, text_format(context->arena, "user-%u", user));
        last[user] = count;
    }
    const struct text cookie = device_print(context, &device);
    require(device_read(context, cookie, &again) && again.count == device.count);
    check_accounts(context, &again, last);
    char *changed = arena_alloc(context->arena, cookie.length + 1);
    memcpy(changed, cookie.data, cookie.length + 1);
    changed[change % cookie.length] ^= (char)(1 << bit % 7);
    if (text_is_ignoring_case(cookie, changed)) {
        return;
    }
    require(!device_read(context, (struct text){changed, cookie.length}, &again));
}

static void fuzz_input(struct arena *arena, struct text input)
{
    static const char *const names[] = {"token", DEVICE_COOKIE, "a"};
    struct request request;
    memset(&request, 0, sizeof request);
    config.secret_keys = (struct secret_keys){{TEXT("a secret key of more than thirty-two bytes")}, 1};
    request.context = (struct context){.arena = arena, .config = &config, .now_seconds = NOW};
    struct text rest = input;
    if (fuzz_take_byte(&rest) == 'd') {
        check_device(&request.context, rest);
    }
    request.request_cookies = input;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct text value = request_cookie(&request, names[i]);
        struct device device;
        require(value.data == NULL || (value.data >= input.data && value.length > 0 &&
                                       value.data + value.length <= input.data + input.length &&
                                       memchr(value.data, ';', value.length) == NULL));
        require(!device_read(&request.context, value, &device)); /* none is signed with our key */
    }
}
