/* test_check_protect.c: what `rosterctl nginx check --dump' finds in what `nginx -T` prints. */
#include <stdio.h>
#include <string.h>

#include "arena_fixture.h"
#include "base/array.h"
#include "check/check_protect.h"
#include "check/nginx_config.h"
#include "unit.h"

/* A site of Roster, and one of an application: nothing is wrong with them. */
static const char good[] = "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n"
                           "# configuration file /etc/nginx/nginx.conf:\n"
                           "events { }\n"
                           "http {\n"
                           "    include conf.d/*.conf;\n"
                           "    include /etc/nginx/sites-enabled/*;\n"
                           "}\n"
                           "\n"
                           "# configuration file /etc/nginx/conf.d/maps.conf:\n"
                           "map \"$a{\" $b { default '}'; \"~^;\" 1; } # a comment; {\n"
                           "# configuration file /etc/nginx/sites-enabled/roster:\n"
                           "server {\n"
                           "    listen 443 ssl;\n"
                           "    server_name users.example.org;\n"
                           "    location / { fastcgi_pass $roster_pool; }\n"
                           "    location ~ ^/x { fastcgi_pass roster_directory; }\n"
                           "}\n"
                           "# configuration file /etc/nginx/sites-enabled/wiki:\n"
                           "server {\n"
                           "    listen 443 ssl;\n"
                           "    server_name wiki.example.org;\n"
                           "    set $roster_sign_in https://users.example.org/account/sign-in;\n"
                           "    include snippets/server.conf;\n"
                           "    location /public/ {\n"
                           "        root /srv;\n"
                           "    }\n"
                           "    location / {\n"
                           "        set $roster_require \"group:staff\";\n"
                           "        include snippets/php.conf;\n"
                           "        fastcgi_pass unix:/run/php.sock;\n"
                           "    }\n"
                           "}\n"
                           "# configuration file /etc/nginx/snippets/server.conf:\n"
                           "location = /roster-verify {\n"
                           "    internal;\n"
                           "    auth_request off;\n"
                           "    fastcgi_buffer_size 16k;\n"
                           "    fastcgi_param ROSTER_REQUIRE $roster_require if_not_empty;\n"
                           "    fastcgi_param ROSTER_APPLICATION $roster_application if_not_empty;\n"
                           "    fastcgi_param REQUEST_METHOD GET;\n"
                           "    fastcgi_param REQUEST_URI /verify;\n"
                           "    fastcgi_param HTTP_HOST $http_host;\n"
                           "    fastcgi_param HTTPS $https if_not_empty;\n"
                           "    fastcgi_param REMOTE_ADDR $remote_addr;\n"
                           "    fastcgi_pass roster_api;\n"
                           "}\n"
                           "# configuration file /etc/nginx/snippets/php.conf:\n"
                           "auth_request /roster-verify;\n"
                           "fastcgi_param REMOTE_USER $roster_user;\n"
                           "fastcgi_param HTTP_COOKIE $roster_cookies;\n";

static struct config config;
static struct text told;
static size_t faults;

static void tell(enum finding_severity severity, const char *subject, const char *text, const char *cure,
                 void *argument)
{
    (void)subject;
    (void)cure;
    (void)argument;
    faults += severity != FINDING_GOOD;
    told = text_format(arena, "%s%s\n", told.data, text);
}

static void look_at(const char *dump)
{
    struct findings findings;
    told = TEXT("");
    faults = 0;
    findings_init(&findings, tell, NULL);
    check_protect(&config, text_of(dump), &findings);
}

/* `good` with `from` replaced once. */
static const char *with(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    assert_non_null(at);
    return text_format(arena, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from)).data;
}

static int fresh(void **state)
{
    (void)state;
    arena_reset(arena);
    config = (struct config){.cookie_domain = "example.org", .public_url = "https://users.example.org"};
    return 0;
}

static void nothing_wrong(void **state)
{
    (void)state;
    look_at(good);
    assert_string_equal(told.data, "1 locations are protected\n");
    assert_int_equal(faults, 0);
}

static void wrong(void **state)
{
    static const struct {
        const char *from, *to, *expected;
    } cases[] = {
        {"    include snippets/server.conf;\n", "",
         "/etc/nginx/sites-enabled/wiki:1: there is no location /roster-verify"},
        {"    include snippets/server.conf;\n", "    include snippets/server.conf; set $roster_require any;\n",
         "replaces the rules of locations"},
        {"set $roster_require \"group:staff\";", "set $roster_require a; satisfy any;", "satisfy any"},
        {"    listen 443 ssl;\n    server_name wiki", "    satisfy any; listen 443 ssl;\n    server_name wiki",
         "satisfy any"},
        {"auth_request /roster-verify;\n", "",
         "/etc/nginx/sites-enabled/wiki:10: the rule has no effect: nothing here asks"},
        {"auth_request /roster-verify;\n", "auth_request off;\n", "the rule has no effect"},
        {"set $roster_require \"group:staff\";", "return 200 hello;", "carries out `return' before it asks"},
        {"set $roster_require \"group:staff\";", "rewrite ^ /x redirect;", "carries out this redirect before"},
        {"fastcgi_param REMOTE_USER $roster_user;\n",
         "fastcgi_param REMOTE_USER $remote_user;\nfastcgi_param X \"\";\n",
         ""}, /* the cookie still names $roster_cookies */
        {"fastcgi_param REMOTE_USER $roster_user;\nfastcgi_param HTTP_COOKIE $roster_cookies;\n", "",
         "is not told who is calling"},
        {"fastcgi_param HTTP_COOKIE $roster_cookies;\n", "", "gets the session of its callers"},
        {"    fastcgi_param ROSTER_REQUIRE $roster_require if_not_empty;\n", "",
         "/etc/nginx/snippets/server.conf:1: the question lacks `fastcgi_param ROSTER_REQUIRE $roster_require'"},
        {"ROSTER_REQUIRE $roster_require", "ROSTER_REQUIRE $arg_require", "lacks `fastcgi_param ROSTER_REQUIRE"},
        {"    fastcgi_param ROSTER_APPLICATION $roster_application if_not_empty;\n", "", "ROSTER_APPLICATION"},
        {"fastcgi_param REQUEST_METHOD GET", "fastcgi_param REQUEST_METHOD $request_method", "REQUEST_METHOD GET"},
        {"fastcgi_param REQUEST_URI /verify", "fastcgi_param REQUEST_URI $request_uri", "REQUEST_URI /verify"},
        {"    fastcgi_param HTTP_HOST $http_host;\n", "", "HTTP_HOST"},
        {"    fastcgi_param REMOTE_ADDR $remote_addr;\n", "", "REMOTE_ADDR"},
        {"    fastcgi_param HTTPS $https if_not_empty;\n", "", "lacks `fastcgi_param HTTPS $https'"},
        {"    internal;\n", "", "should be `internal'"},
        {"    fastcgi_buffer_size 16k;\n", "", "too large for nginx: 500"},
        {"fastcgi_buffer_size 16k", "fastcgi_buffer_size 4k", "too large for nginx: 500"},
        {"fastcgi_buffer_size 16k", "fastcgi_buffer_size 8192", "too large for nginx: 500"},
        {"server_name wiki.example.org", "server_name wiki.example.org wiki.example.net",
         "browsers do not send the cookie of users.example.org to wiki.example.net"},
        {"    set $roster_sign_in https://users.example.org/account/sign-in;\n", "",
         "the sign-in page is not at this server"},
        {"    set $roster_sign_in https://users.example.org/account/sign-in;\n",
         "    set $roster_sign_in /account/sign-in;\n", "the sign-in page is not at this server"},
        {"    listen 443 ssl;\n    server_name wiki", "    listen 80;\n    server_name wiki", "listens without TLS"},
        {"events { }\nhttp {\n", "events { }\nhttp {\nunderscores_in_headers on;\n", "underscores_in_headers"},
        {"        root /srv;\n", "        proxy_pass http://127.0.0.1:8080;\n",
         "/etc/nginx/sites-enabled/wiki:7: location /public/ passes requests of everybody on"},
        {"fastcgi_pass unix:/run/php.sock;", "fastcgi_pass unix:/run/php.sock; fastcgi_cache x;",
         "add $roster_user to fastcgi_cache_key"},
        {"fastcgi_pass unix:/run/php.sock;",
         "fastcgi_pass unix:/run/php.sock; fastcgi_cache x; fastcgi_cache_key $uri$roster_user;", ""},
        {"auth_request /roster-verify;\n", "auth_request /old;\n", ""},
        {"server_name wiki.example.org", "server_name users.example.org", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        look_at(with(cases[i].from, cases[i].to));
        if (strstr(told.data, cases[i].expected) == NULL || (cases[i].expected[0] != '\0' && faults == 0)) {
            fail_msg("%s%s: %s", cases[i].from, cases[i].to, told.data);
        }
    }
}

/* A rule of the server replaces those of locations. */
static void server_rule(void **state)
{
    (void)state;
    look_at(with("        set $roster_require \"group:staff\";\n", ""));
    assert_int_equal(faults, 0);
    const char *dump =
        with("    location /public/ {", "    set $roster_require \"role:user\";\n    location /public/ {");
    const char *at = strstr(dump, "        set $roster_require \"group:staff\";\n");
    look_at(dump);
    assert_non_null(strstr(told.data, "replaces the rules of locations"));
    look_at(text_format(arena, "%.*s%s", (int)(at - dump), dump, strchr(at, '\n') + 1).data);
    assert_non_null(strstr(told.data, "replaces the rules of locations"));
}

/* As many set it up before there was /verify. */
static void old_question(void **state)
{
    (void)state;
    look_at(with("    location /public/ {",
                 "    location = /old { proxy_pass http://127.0.0.1/api/v1/auths/; }\n"
                 "    location /x/ { auth_request /old; root /srv; }\n    location /public/ {"));
    assert_non_null(strstr(told.data, "also pending people, and knows no rules"));
    assert_int_equal(faults, 2); /* and the location itself passes everybody's requests on */
}

static void by_configuration(void **state)
{
    (void)state;
    config.cookie_domain = "";
    look_at(good);
    assert_non_null(strstr(told.data, "set cookie_domain in roster.conf to a domain of both\n"));
    config.cookie_domain = "example.net";
    look_at(good);
    assert_non_null(strstr(told.data, "to a domain of both (it is example.net)\n"));
    config = (struct config){.cookie_domain = "example.org", .public_url = "", .cookie_secure = COOKIE_SECURE_AUTO};
    look_at(with("    listen 443 ssl;\n    server_name wiki", "    listen 80;\n    server_name wiki"));
    assert_int_equal(faults, 0);
}

/* The client's address: of a server that has protected locations, and of Roster's own. */
static void real_ip(void **state)
{
    static const struct {
        const char *from, *to, *expected;
        size_t faults;
    } cases[] = {
        {"http {\n", "http {\nset_real_ip_from 192.0.2.1; real_ip_header X-Forwarded-For;\n", "1 locations", 0},
        {"http {\n", "http {\nset_real_ip_from fc00::/7; set_real_ip_from 10.0.0.0/8; real_ip_header X-Real-IP;\n",
         "1 locations", 0},
        {"http {\n", "http {\nset_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For;\n",
         "/etc/nginx/nginx.conf:3: any client may say which address it has", 1},
        {"http {\n", "http {\nset_real_ip_from ::/0; set_real_ip_from 10.0.0.1; real_ip_header X-Forwarded-For;\n",
         "any client may say which address it has", 1},
        {"http {\n", "http {\nset_real_ip_from 128.0.0.0/1; real_ip_header X-Forwarded-For;\n", "any client may say",
         1},
        {"server_name wiki.example.org;", "server_name wiki.example.org; set_real_ip_from 0.0.0.0/0; real_ip_header x;",
         "/etc/nginx/sites-enabled/wiki:3: any client may say", 1},
        {"server_name users.example.org;",
         "server_name users.example.org; set_real_ip_from 0.0.0.0/0; real_ip_header x;",
         "/etc/nginx/sites-enabled/roster:3: any client may say", 1},
        {"server_name wiki.example.org;", "server_name wiki.example.org; set_real_ip_from 192.0.2.1;",
         "/etc/nginx/sites-enabled/wiki:3: without real_ip_header", 1},
        {"server_name wiki.example.org;", "server_name wiki.example.org; real_ip_header X-Forwarded-For;",
         "/etc/nginx/sites-enabled/wiki:3: real_ip_header has no effect without set_real_ip_from", 1},
        {"listen 443 ssl;\n    server_name wiki", "listen 443 ssl proxy_protocol;\n    server_name wiki",
         "/etc/nginx/sites-enabled/wiki:1: a proxy passes requests on to this server", 1},
        {"listen 443 ssl;\n    server_name users", "listen 127.0.0.1:443 ssl;\n    server_name users",
         "/etc/nginx/sites-enabled/roster:1: a proxy passes requests on to this server", 1},
        {"listen 443 ssl;\n    server_name users",
         "listen unix:/run/x ssl; listen [::1]:443 ssl;\n    server_name users",
         "a proxy passes requests on to this server", 1},
        {"listen 443 ssl;\n    server_name users",
         "listen 127.0.0.1:443 ssl; set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;\n    server_name users",
         "1 locations", 0},
        {"listen 443 ssl;\n    server_name users", "listen 127.0.0.1:443 ssl; listen 443 ssl;\n    server_name users",
         "1 locations", 0},
        /* where nothing is asked of Roster it is not its matter */
        {"events { }\nhttp {\n", "events { }\nhttp {\nserver { listen 127.0.0.1:80; real_ip_header x; }\n",
         "1 locations", 0},
        /* TLS ends at a proxy that is known */
        {"http {\n    include conf.d/*.conf;\n    include /etc/nginx/sites-enabled/*;\n}\n",
         "http {\n    include conf.d/*.conf;\n    include /etc/nginx/sites-enabled/*;\n"
         "set_real_ip_from 192.0.2.1; real_ip_header X-Real-IP;\nserver { listen 80; server_name users.example.org; "
         "include snippets/server.conf; location / { include snippets/php.conf; fastcgi_pass unix:/x; } }\n}\n",
         "2 locations", 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        look_at(with(cases[i].from, cases[i].to));
        if (strstr(told.data, cases[i].expected) == NULL || faults != cases[i].faults) {
            fail_msg("%s: %s", cases[i].to, told.data);
        }
    }
    config.public_url = ""; /* a try on one's own machine */
    look_at(with("listen 443 ssl;\n    server_name users", "listen 127.0.0.1:443 ssl;\n    server_name users"));
    assert_int_equal(faults, 0);
}

static void unreadable(void **state)
{
    static const char *const cases[][2] = {
        {"", "this is not what `nginx -T' prints"},
        {"http { }\n", "this is not what `nginx -T' prints"},
        {"# configuration file /a:\n", "/a is empty"},
        {"# configuration file /a:\nhttp {\n", "/a:1: a block does not end"},
        {"# configuration file /a:\nhttp {\n}\n}\n", "/a:3: a brace closes nothing"},
        {"# configuration file /a:\nuser", "/a:1: a directive does not end"},
        {"# configuration file /a:\nuser }", "/a:1: a directive does not end"},
        {"# configuration file /a:\n;", "/a:1: a directive has no name"},
        {"# configuration file /a:\nuser 'x", "/a:1: a directive does not end"},
        {"# configuration file /a:\ninclude a;\n", "includes nest too deep"},
        {"# configuration file /a:\nhttp { }\n", "no location asks /roster-verify"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        look_at(cases[i][0]);
        if (strstr(told.data, cases[i][1]) == NULL) {
            fail_msg("%s: %s", cases[i][0], told.data);
        }
    }
    look_at(text_format(arena, "# configuration file /a:\n%0500d", 0).data);
    assert_int_equal(faults, 1);
}

static void words(void **state)
{
    struct error error;
    (void)state;
    const struct nginx_directive *first = nginx_config_read(
        arena,
        TEXT("# configuration file /a:\nset $a \"b \\\" \\\\ \\n;{\" 'c\\'' d${e}f;\nif ($x ~ \"}\") { return 1; }\n"),
        &error);
    assert_non_null(first);
    assert_int_equal(first->word_count, 5);
    assert_string_equal(nginx_config_word(first, 2), "b \" \\ \\n;{");
    assert_string_equal(nginx_config_word(first, 3), "c'");
    assert_string_equal(nginx_config_word(first, 4), "d${e}f");
    assert_string_equal(nginx_config_word(first, 5), "");
    assert_true(first->next->is_block && first->next->line == 2);
    assert_true(nginx_config_is(first->next->children, "return"));
    assert_null(nginx_config_find(first, "return"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_wrong, fresh),    cmocka_unit_test_setup(wrong, fresh),
        cmocka_unit_test_setup(server_rule, fresh),      cmocka_unit_test_setup(old_question, fresh),
        cmocka_unit_test_setup(by_configuration, fresh), cmocka_unit_test_setup(real_ip, fresh),
        cmocka_unit_test_setup(unreadable, fresh),       cmocka_unit_test_setup(words, fresh),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
