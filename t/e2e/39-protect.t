# Applications that Roster protects, by the files of nginx/roster/: PHP behind the real PHP-FPM, cgit behind fcgiwrap, a
# program that says what arrives, and files. Who gets in, what an application is told, and what it is not.
use v5.36;
use utf8;

use Encode ();
use File::Temp ();
use IO::Socket::UNIX;
use JSON::PP ();
use MIME::Base64 ();
use Test::More;
use Roster;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $own = File::Temp->newdir(TEMPLATE => 'roster-app-XXXXXX', TMPDIR => 1);
chmod 0755, "$own";

sub find (@programs) {
    return (reverse sort grep { -x } map { glob } @programs)[0];
}
my $php = find(map { ("$_/php-fpm*") } '/usr/sbin', '/usr/local/sbin', split /:/, $ENV{PATH});
my ($wrap, $cgit) = (find('/usr/sbin/fcgiwrap'), find('/usr/lib/cgit/cgit.cgi'));

# As they stand in the comments of the files, but for paths.
my $server = <<~"NGINX";
    include roster/server.conf;
    location ~ ^/php/.*\\.php\$ {
        set \$roster_require "group:staff";
        set \$roster_application wiki;
        include roster/php.conf;
        client_max_body_size 20m;
        include $own/fastcgi_params;
        fastcgi_param SCRIPT_FILENAME $own/index.php;
        fastcgi_pass unix:$own/php.sock;
    }
    location /odd/ {
        set \$roster_require 'group:"<b>" role:admin';
        include roster/static.conf;
        root $own;
    }
    location /unreadable/ {
        set \$roster_require "staff";
        include roster/static.conf;
        root $own;
    }
    location /secret/ {
        set \$roster_require "role:user mfa<12h";
        include roster/static.conf;
        root $own;
    }
    location = /api/v1/verify {
        include roster-headers.conf;
        include roster-fastcgi.conf;
        fastcgi_param ROSTER_REQUIRE mfa;
        fastcgi_pass roster_api;
    }
    location /files/ {
        include roster/static.conf;
        root $own;
    }
    location /renewed/ {
        include roster/static.conf;
        include roster/renew.conf;
        root $own;
    }
    location /naive/ {
        if (\$http_x_forwarded_user) {
            return 200 "Hello.\\n";
        }
        return 401;
    }
    location /elsewhere/ {
        set \$roster_sign_in https://users.example.org/account/sign-in;
        include roster/static.conf;
        root $own;
    }
    NGINX
my @proxied = qw(proxy grafana gitea open-webui);
$server .= <<~"NGINX" for @proxied;
    location /$_/ {
        include roster/$_.conf;
        proxy_pass http://unix:$own/echo.sock;
    }
    NGINX

my $params = join '', map { "fastcgi_param $_;\n" } 'QUERY_STRING $query_string', 'REQUEST_METHOD $request_method',
    'CONTENT_TYPE $content_type', 'CONTENT_LENGTH $content_length', 'SCRIPT_NAME $fastcgi_script_name',
    'REQUEST_URI $request_uri', 'SERVER_PROTOCOL $server_protocol', 'SERVER_NAME $server_name', 'REDIRECT_STATUS 200';
Roster::Database::write_file("$own/fastcgi_params", $params);
Roster::Database::write_file("$own/index.php", <<~'PHP');
    <?php
    header('Content-Type: application/json');
    echo json_encode(['server' => $_SERVER, 'cookies' => $_COOKIE, 'bytes' => strlen(file_get_contents('php://input'))]);
    PHP
for my $name (qw(files odd unreadable elsewhere renewed secret)) {
    mkdir "$own/$name";
    Roster::Database::write_file("$own/$name/a.txt", "the file of $name\n");
}

my $roster = Roster->new(
    config => {rate_limits => 'no', request_body_limit => '4m'},
    nginx_server => $server,
    tcp => 1,
    nginx_http => 'underscores_in_headers on;');
my $admin = $roster->add_user(role => 'admin', name => 'Root', email => 'root@example.org');
my $anne = $roster->add_user(name => 'Änne', email => 'anne@example.org', username => 'anne');
my $ben = $roster->add_user(name => 'Ben', email => 'ben@example.org');
my $staff = $roster->post('/groups/create', $admin, {name => 'staff', description => ''})->{json};
$roster->post("/groups/id/$staff->{id}/users/add", $admin, {user_ids => [$anne->{id}]});
$roster->sql('INSERT INTO config (data) VALUES (?)',
    '{"auth": {"enable_api_keys": true}, "user": {"permissions": {"features": {"api_keys": true}}}}');

# ---- The applications ----

if ($php) {
    my $owner = $> == 0 ? "user = root\ngroup = root" : '';
    Roster::Database::write_file("$own/fpm.conf", <<~"CONF");
        [global]
        daemonize = no
        error_log = $own/fpm.log
        [app]
        $owner
        listen = $own/php.sock
        pm = static
        pm.max_children = 1
        CONF
    $roster->spawn('php', [$php, '--fpm-config', "$own/fpm.conf", $> == 0 ? '--allow-to-run-as-root' : ()]);
    $roster->wait_for('php', sub { IO::Socket::UNIX->new(Peer => "$own/php.sock") });
}

# Answers the header of each request, as it came.
my $listener = IO::Socket::UNIX->new(Local => "$own/echo.sock", Listen => 20) // die "$own/echo.sock: $!\n";
my $echo = fork // die "fork: $!\n";
if (!$echo) {
    $SIG{TERM} = 'DEFAULT';
    while (my $socket = $listener->accept) {
        my $header = '';
        while (defined(my $line = readline $socket)) {
            $header .= $line;
            last if $line eq "\r\n";
        }
        my $cookies = $header =~ /^X-Set: (.*)\r$/m ? join '', map { "Set-Cookie: $_\r\n" } split / \| /, $1 : '';
        printf {$socket}
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n%s",
            length $header, $cookies, $header;
        close $socket;
    }
    POSIX::_exit(0);
}
END { kill 'TERM', $echo if $echo }

# What a browser sends that opens a page, and what its scripts send.
my @page = (headers => [Accept => 'text/html,*/*', 'Sec-Fetch-Mode' => 'navigate', 'User-Agent' => 'Mozilla/5.0']);
my @script = (headers => [Accept => 'text/html,*/*', 'Sec-Fetch-Mode' => 'cors', 'User-Agent' => 'Mozilla/5.0']);

sub fetch ($path, $who = undef, %options) {
    return $roster->request(GET => $path, ($who ? (cookie => $who->{token}) : ()), %options);
}

# ---- Signing in ----

for my $case (
    ['/files/a.txt?x=1&y=/2%20', 'files'],
    ['/elsewhere/a.txt?x', 'files elsewhere'],
    $php ? ['/php/a.php?x=1&y', 'PHP'] : ())
{
    my ($path, $name) = @$case;
    my $answer = fetch($path, undef, @page);
    is $answer->{status}, 303, "$name: a browser goes to sign in";
    is $answer->{headers}{location},
        $name eq 'files elsewhere'
        ? "https://users.example.org/account/sign-in?rd=http://roster.example.org$path"
        : "/account/sign-in?rd=$path", '... and says where it wanted to go'
        if ok $answer->{headers}{location} !~ /^http:/, 'by a relative address';
    is $answer->{headers}{'cache-control'}, 'no-store', '... which no cache keeps';
    for my $program ([], \@script, [headers => [Accept => 'application/json']]) {
        my $refused = fetch($path, undef, @$program);
        is_problem $refused, 401, 'NOT_AUTHENTICATED', "$name: a program gets 401";
        like $refused->{headers}{'www-authenticate'},
            @$program && $program == \@script ? qr/^Bearer$/ : qr/^Basic realm="Roster", charset="UTF-8"$/,
            '... with one challenge';
    }
}
my $back = fetch('/files/a.txt?x=1&y=/2%20', undef, @page)->{headers}{location};
is $roster->get('/auths/return' . ($back =~ s/^[^?]*//r))->{json}{url}, '/files/a.txt?x=1&y=/2%20',
    'the sign-in page learns where to go back to';
my $session = {token => $roster->new_session($anne)};
is fetch('/files/a.txt', $session, @page)->{body}, "the file of files\n", '... and there is no loop';
is fetch('/files/a.txt', $session)->{headers}{'cache-control'}, 'private, no-cache', 'a shared cache does not keep it';

# ---- Refusals ----

for my $path ('/odd/a.txt', '/unreadable/a.txt', $php ? '/php/a.php' : ()) {
    my $answer = fetch($path, $ben, @page);
    is $answer->{status}, 403, "$path: a page of others";
    like $answer->{headers}{'content-type'}, qr{^text/html}, '... is a page';
    like $answer->{body}, qr/Request <code>$answer->{headers}{'x-request-id'}</, '... with the id of the request';
    unlike $answer->{body}, qr/The rule|role:|staff/, '... and without the rule';
    is_problem fetch($path, $ben), 403, 'ACCESS_PROHIBITED', '... programs get the error';
}
my $refused = fetch('/odd/a.txt', $admin, @page);
like $refused->{body}, qr/<code>group:&quot;&lt;b&gt;&quot; role:admin \(there is no group &quot;&lt;b&gt;&quot;\)</,
    'an administrator sees the rule, which is no HTML';
like fetch('/unreadable/a.txt', $admin, @page)->{body}, qr/staff \(&quot;staff&quot; is no term/,
    '... and what is wrong with it';
is fetch('/files/a.txt', {token => 'rubbish'})->{status}, 401, 'a token that is none';
is fetch('/files/a.txt', {token => $roster->token_for($anne->{id}, iat => time - 7200, exp => time - 3600)})->{status},
    401, 'an expired token';
for my $internal (qw(/roster-verify /roster-sign-in/page /roster-refused/page /roster-unavailable)) {
    is fetch($internal, $anne)->{status}, 404, "nobody gets $internal";
}

# Who signed in without a second factor is led to do it again.
my $lacking = fetch('/secret/a.txt?x=1&y', $ben, @page);
is $lacking->{status}, 303, 'a browser signs in again for want of a second factor';
is $lacking->{headers}{location}, '/account/sign-in?again&rd=/secret/a.txt?x=1&y', '... and comes back';
is $roster->get('/auths/return' . ($lacking->{headers}{location} =~ s/^[^?]*//r))->{json}{url},
    '/secret/a.txt?x=1&y', '... whatever stands before the address';
my $insufficient = fetch('/secret/a.txt', $ben, @script);
is_problem $insufficient, 401, 'SECOND_FACTOR_REQUIRED', '... a script gets 401';
like $insufficient->{headers}{'www-authenticate'}, qr/^Bearer error="insufficient_user_authentication"$/,
    '... with the reason in the challenge';
$roster->call(verify => 'SECOND_FACTOR_REQUIRED', token => $ben->{token});
is fetch('/secret/a.txt', $admin, @page)->{status}, 403, '... but not where that would be of no help';

# ---- A session near its end ----

sub session_until ($exp) {
    my $jti = Roster::uuid();
    $roster->sql('INSERT INTO session (jti, user_id, expires_at) VALUES (?, ?, ?)', $jti, $anne->{id}, $exp);
    return {jti => $jti, token => $roster->token_for($anne->{id}, jti => $jti, iat => time - 100, exp => $exp)};
}
my ($old, $young) = map { session_until(time + $_ * 86_400) } 6, 8;    # of four weeks
my $answer = fetch('/renewed/a.txt', $old);
is $answer->{body}, "the file of renewed\n", 'a session near its end';
my ($cookie, @more) = @{$answer->{set_cookie}};
like $cookie, qr/^token=[^;]+; Expires=[^;]+; Path=\/; HttpOnly; SameSite=lax$/,
    '... is renewed, where nginx has renew.conf';
is @more, 0, '... once';
my ($renewed) = ($cookie // '') =~ /^token=([^;]+)/;
$roster->secret($renewed);
my ($head, $payload) =
    map { JSON::PP::decode_json(MIME::Base64::decode_base64(tr{-_}{+/}r)) } (split /\./, $renewed)[0, 1];
is $payload->{jti}, $old->{jti}, '... it is the same session';
cmp_ok $payload->{exp}, '>', time + 27 * 86_400, '... of another four weeks';
is $roster->sql('SELECT expires_at FROM session WHERE jti = ?', $old->{jti}), $payload->{exp},
    '... and its row says so';
is_deeply fetch('/renewed/a.txt', {token => $renewed})->{set_cookie}, [], 'the new one is not renewed again';
is_deeply fetch('/renewed/a.txt', $young)->{set_cookie}, [], 'nor is a session that has time left';
is_deeply fetch('/files/a.txt', $old)->{set_cookie}, [], 'nor where nginx does not want it';
is_deeply fetch('/renewed/a.txt', undef, token => $old->{token})->{set_cookie}, [], 'nor the token of a program';
$answer = $roster->get('/verify', undef, cookie => $old->{token}, headers => ['Roster-Renew' => 'on']);
is_deeply [$answer->{status}, @{$answer->{set_cookie}}, $answer->{headers}{'x-roster-renewed'}], [204, undef],
    'a client can\'t ask for it';
$roster->request(GET => '/auths/signout', cookie => $renewed);
my $page = session_until(time + 6 * 86_400);
$answer = $roster->get('/api/v1/auths', undef, cookie => $page->{token});
my ($of_page) = "@{$answer->{set_cookie}}" =~ /^token=([^;]+)/;
$roster->secret($of_page);
isnt $of_page, $page->{token}, 'the pages renew, too';
is $answer->{json}{token}, $of_page, '... and the answer has the new token';
cmp_ok $answer->{json}{expires_at}, '>', time + 27 * 86_400, '... with its end';
is $roster->get('/api/v1/auths', $page->{token})->{json}{token}, $page->{token}, '... but not that of a program';
is $roster->get('/api/v1/auths/', undef, cookie => $page->{token})->{json}{token}, $page->{token},
    '... nor at another address';
is fetch('/renewed/a.txt', $_)->{status}, 401, 'signing out ends both cookies of the session'
    for $old, {token => $renewed};
my $older = session_until(time + 6 * 86_400);
my ($newer) = (fetch('/renewed/a.txt', $older)->{set_cookie}[0] // '') =~ /^token=([^;]+)/;
$roster->secret($newer);
$roster->request(GET => '/auths/signout', cookie => $older->{token});
is fetch('/renewed/a.txt', $_)->{status}, 401, 'so does signing out with the older one' for $older, {token => $newer};
cmp_ok $roster->redis('TTL', "open-webui:auth:token:$older->{jti}:revoked"), '>', 27 * 86_400,
    '... and Redis knows it for as long as the newer one would have lived';

# ---- What applications get ----

# Everything that a client may claim, in all spellings that an application may take for it.
my @claims = map { ($_, tr/-/_/r, lc) } qw(Remote-User Remote-Email Remote-Name Remote-Groups Remote-Role X-Remote-User
    X-Forwarded-User X-Forwarded-Email X-Forwarded-Groups X-Forwarded-Preferred-Username X-Auth-Request-User
    X-Auth-Request-Email X-WEBAUTH-USER X-WEBAUTH-EMAIL X-WEBAUTH-NAME X-WEBAUTH-FULLNAME X-WEBAUTH-GROUPS X-WEBAUTH-ROLE
    X-User-Email X-User-Name X-User-Groups X-User-Role), 'REMOTE-USER';
my @spoofed = map { ($_ => 'evil@example.org') } @claims;

is fetch('/files/a.txt', undef, headers => \@spoofed)->{status}, 401, 'claims let nobody in';
my %expected = (
    proxy => {
        'Remote-User' => 'anne@example.org',
        'Remote-Email' => 'anne@example.org',
        'Remote-Name' => 'Änne',
        'Remote-Groups' => 'staff',
        'Remote-Role' => 'user',
        'X-Forwarded-User' => 'anne@example.org'
    },
    grafana =>
        {'X-WEBAUTH-USER' => 'anne@example.org', 'X-WEBAUTH-EMAIL' => 'anne@example.org', 'X-WEBAUTH-NAME' => 'Änne'},
    gitea => {
        'X-WEBAUTH-USER' => 'anne@example.org',
        'X-WEBAUTH-EMAIL' => 'anne@example.org',
        'X-WEBAUTH-FULLNAME' => 'Änne'
    },
    'open-webui' => {
        'X-User-Email' => 'anne@example.org',
        'X-User-Name' => '%C3%84nne',
        'X-User-Groups' => 'staff',
        'X-User-Role' => 'user'
    });
for my $kind (@proxied) {
    my $answer = fetch("/$kind/x?y", undef,
        headers => [@spoofed, Cookie => "a=b; token=$session->{token}; c=d", Authorization => 'Basic eDp5']);
    is $answer->{status}, 200, "$kind: somebody is let in" or diag $answer->{body};
    my %fields;
    push @{$fields{$1}}, Encode::decode('UTF-8', $2) while $answer->{body} =~ /^([^:\r\n]+): ?(.*?)\r$/mg;
    is_deeply $fields{$_}, [$expected{$kind}{$_}], "... $_" for sort keys %{$expected{$kind}};
    unlike join("\n", map { @$_ } values %fields), qr/evil/, '... and no claim of the client arrives';
    is_deeply $fields{Authorization}, ['Basic eDp5'], '... a password for the application does';
    is_deeply $fields{Cookie}, ['a=b;c=d'], '... but the session does not';
}

# Open WebUI has a token of its own, in a cookie of the same name, and in Authorization.
for my $case (
    ['a=b; webui_token=its; c=d', 'a=b;token=its; c=d'],
    ['webui_token=its', 'token=its'],
    ['xwebui_token=1', 'xwebui_token=1'])
{
    my ($cookie, $arrives) = @$case;
    my $body = fetch('/open-webui/x', undef,
        headers => [Cookie => "token=$session->{token}; $cookie", Authorization => 'Bearer its.own.token'])->{body};
    is + ($body =~ /^Cookie: (.*)\r$/m)[0], $arrives, "Open WebUI gets its cookie: $cookie";
    like $body, qr/^Authorization: Bearer its\.own\.token\r$/m, '... and its token in Authorization';
}
is fetch('/proxy/x', $session, headers => [Authorization => 'Bearer its.own.token'])->{status}, 401,
    '... which elsewhere counts before the cookie';
my $attributes = 'expires=Wed, 01 Jan 2031 00:00:00 GMT; HttpOnly; Path=/; SameSite=lax';
for my $set (
    "token=its; $attributes",
    "token=its; $attributes | other=1; Path=/",
    'token=""; Max-Age=0; Path=/', 'other=1')
{
    my $expected = $set =~ /^token=/ ? ['webui_' . ($set =~ s/ \| .*//r)] : [];
    is_deeply fetch('/open-webui/x', $session, headers => ['X-Set' => $set])->{set_cookie}, $expected,
        "... browsers get $set as webui_token, and no other";
}
for my $case (
    ["token=$session->{token}", undef],
    ["a=b; token=$session->{token}", 'a=b;'],
    ["token=x; token=$session->{token}; a=b", undef],
    ["xtoken=1; token=$session->{token}; tokens=2", 'xtoken=1;tokens=2'])
{
    my ($cookie, $arrives) = @$case;
    my ($got) = fetch('/proxy/', undef, headers => [Cookie => $cookie])->{body} =~ /^Cookie: (.*)\r$/m;
    is $got, $arrives,
        'of the cookies ' . ($cookie =~ s/\Q$session->{token}\E/TOKEN/r) . ' arrives ' . ($arrives // 'nothing');
}
my $key = $roster->call(
    api_keys_create => 200,
    token => $anne->{token},
    json => {name => 'k', routes => ['verify:wiki', '/verify']}
)->{json}{api_key};
for my $field (
    [Authorization => "Bearer $key"],
    ['X-API-Key' => $key],
    [Authorization => 'Basic ' . MIME::Base64::encode_base64("git:$key", '')])
{
    my $body = fetch('/proxy/', undef, headers => $field)->{body};
    like $body, qr/^Remote-User: anne/m, "$field->[0]: an API key lets in";
    unlike $body, qr/^(?:Authorization|X-API-Key)/mi, '... and does not arrive';
}
is fetch('/open-webui/x', undef, headers => [Authorization => "Bearer $key"])->{status}, 401,
    'Open WebUI: what is in Authorization is for it';

SKIP: {
    skip 'php-fpm is not installed', 1 if !$php;
    my $answer = fetch('/php/a.php?x=1', undef, headers => [@spoofed, Cookie => "a=b; token=$session->{token}"]);
    my $got = $answer->{json} // {};
    is_deeply [map { $got->{server}{"REMOTE_$_"} } qw(USER EMAIL NAME GROUPS ROLE)],
        ['anne@example.org', 'anne@example.org', 'Änne', 'staff', 'user'], 'PHP: who it is';
    is_deeply [grep { ($got->{server}{$_} // '') =~ /evil/ } sort keys %{$got->{server}}], [],
        '... and no claim of the client arrives';
    is_deeply $got->{cookies}, {a => 'b'}, '... nor does the session';
    $answer = $roster->request(
        POST => '/php/a.php',
        cookie => $session->{token},
        body => 'x' x 6_000_000,
        headers => ['Content-Type' => 'text/plain']);
    is $answer->{json}{bytes}, 6_000_000, 'an upload beyond the limit of Roster is up to the application'
        or diag $answer->{body};
    my $one = $roster->call(
        api_keys_create => 200,
        token => $anne->{token},
        json => {name => 'one', routes => ['verify:wiki']}
    )->{json}{api_key};
    is fetch('/php/a.php', undef, headers => [Authorization => "Bearer $one"])->{status}, 200,
        'a key for this application';
    is fetch('/proxy/', undef, headers => [Authorization => "Bearer $one"])->{status}, 403, '... and no other';
}

# ---- The examples ----

sub example ($kind) {
    my $printed = qx{'$roster->{source}/nginx/examples/run' $kind '$roster->{directory}' 2>&1};
    is($?, 0, "nginx/examples/run $kind") or diag $printed;
    return;
}
for my $kind ('static', $php ? 'php' : (), $wrap && $cgit ? 'cgit' : ()) {
    example($kind);
    my $path = $kind eq 'cgit' ? '/cgit/tools/' : "/$kind/";
    my $text = {
        static => qr/This is for the group staff/,
        php => qr/Hello, Änne\..*in the groups\sstaff\./s,
        cgit => qr/tools/
    }->{$kind};
    my $answer = fetch($path, $session);
    is $answer->{status}, 200, '... which waits until nginx serves it: it lets the group in';
    like Encode::decode('UTF-8', $answer->{body}), $text, '... and shows the page';
    my $to = fetch($path, undef, @page);
    is $to->{headers}{location}, "/account/sign-in?rd=$path", '... leads to the sign-in page' or diag explain $to;
    like fetch($path, $ben, @page)->{body}, qr/You may not open this page/, '... and refuses others';
}

# git asks without a password first, and needs the challenge.
SKIP: {
    my $git = find(map { "$_/git" } split /:/, $ENV{PATH});
    skip 'git or cgit is not there', 5 if !$git || !$wrap || !$cgit;
    local @ENV{qw(HOME GIT_TERMINAL_PROMPT GIT_CONFIG_NOSYSTEM)} = ("$own", 0, 1);
    my $made = "--git-dir='$roster->{directory}/examples/tools.git' -c user.name=A -c user.email=a\@b.example";
    chomp(my $tree = qx{$git $made hash-object -w -t tree /dev/null});
    chomp(my $commit = qx{echo First | $git $made commit-tree $tree});
    is system("$git $made update-ref HEAD $commit && $git $made update-server-info"), 0, 'a repository with a commit';
    my $address = "127.0.0.1:$roster->{port}{http}/cgit/tools";
    my $clone = sub ($secret) {
        my $said = qx{$git clone -q http://anne:$secret\@$address '$own/clone-@{[Roster::uuid()]}' 2>&1};
        return $? == 0 ? 'cloned' : $said;
    };
    my $key = $roster->post('/auths/api_key', $anne, {})->{json}{api_key};
    is $clone->($key), 'cloned', 'git clones by an API key as the password';
    like $clone->('wrong'), qr/Authentication failed|403/, '... and not by another one';
    like qx{$git clone -q http://$address '$own/clone' 2>&1}, qr/could not read Username/,
        '... and asks for one where it has none';
    my $bens = $roster->post('/auths/api_key', $ben, {})->{json}{api_key};
    like $clone->($bens), qr/403/, '... nor by that of somebody who is not in the group';
}
example('stop');
is fetch('/static/', $session)->{status}, 404, '... and it is gone';

# ---- What can be wrong with it ----

my $dump =
    qx{'@{[Roster::Database::find_program('nginx')]}' -T -p '$roster->{directory}/nginx/' -c '$roster->{directory}/nginx/nginx.conf' 2>/dev/null};
sub check ($text) { return $roster->ctl('nginx', 'check', '--dump', '-', {input => $text}) }
my $checked = check($dump);
is $checked->{status}, 0, 'rosterctl nginx check finds nothing in what nginx -T prints' or diag explain $checked;
like $checked->{out}, qr/locations are protected/, '... but the locations';
$checked = check($dump =~ s/^.*ROSTER_REQUIRE +\$.*\n//mr);
isnt $checked->{status}, 0, 'a question without the rule is an error';
like $checked->{out},
    qr{/roster/server\.conf:\d+: the question lacks `fastcgi_param ROSTER_REQUIRE .*whatever the rules},
    '... with its place and its effect';

# It tries to get in.
$roster->add_user(active => 0);
my $site = "http://127.0.0.1:$roster->{port}{http}";
$checked = $roster->ctl('nginx', 'check', "$site/files/a.txt");
is $checked->{status}, 0, 'rosterctl nginx check URL: a protected page' or diag explain $checked;
like $checked->{out}, qr/ok +claims +\d{2} header fields that claim something: all refused/, '... claims let nobody in';
like $checked->{out}, qr/ok +tokens +21 tokens that are good for nothing: all refused/,
    '... nor do tokens, also of a disabled account';
like $checked->{out}, qr/ok +spellings +\d{2} other spellings and methods: all refused/, '... nor other spellings';
$checked = $roster->ctl('nginx', 'check', "$site/naive/");
isnt $checked->{status}, 0, 'an application that believes what clients claim';
like $checked->{out}, qr/error +claims +the header field X-Forwarded-User: let in \(200\)/, '... is found';
$checked = $roster->ctl('nginx', 'check', "$site/account/");
like $checked->{out}, qr/this page is open to everybody/, 'a page of everybody, too';
for my $case (
    ['ftp://x/', qr/is no address/],
    ["http://127.0.0.1:1/", qr/127\.0\.0\.1:1: /],
    ['http:///x', qr/has no host/])
{
    $checked = $roster->ctl('nginx', 'check', $case->[0]);
    isnt $checked->{status}, 0, "$case->[0] can't be asked";
    like $checked->{out}, $case->[1], '... and why';
}

# ---- Signing out ----

$roster->request(GET => '/auths/signout', cookie => $session->{token});
is fetch($_, $session)->{status}, 401, "after signing out of one, $_ is over"
    for '/files/a.txt', map { "/$_/" } @proxied;

# One cookie for several hosts.
$roster->set_directives(cookie_domain => 'example.org');
$roster->reload;
my $signed_in = $roster->sign_in($anne, host => 'users.example.org');
my ($of_domain) = grep { /^token=/ } @{$signed_in->{set_cookie}};
like $of_domain, qr/; Domain=example\.org;/, 'a cookie for the domain';
$session = {token => $signed_in->{json}{token}};
my @hosts = qw(users.example.org wiki.example.org git.example.org);
is fetch('/files/a.txt', $session, host => $_)->{status}, 200, "... counts at $_" for @hosts;
my $out = $roster->request(GET => '/auths/signout', cookie => $session->{token}, host => 'users.example.org');
like join("\n", @{$out->{set_cookie}}), qr/^token=; .*Domain=example\.org;/m, 'signing out at one deletes it';
is fetch('/files/a.txt', $session, host => $_)->{status}, 401, "... and ends it at $_, whoever kept it" for @hosts;

# ---- What is printed ----

for my $kind (qw(php proxy static grafana gitea cgit nextcloud open-webui)) {
    my ($status, $text) = $roster->rosterctl('nginx', 'protect', $kind, '--templates', "$roster->{source}/nginx");
    is $status, 0, "nginx protect $kind";
    like $text, qr{^include /etc/nginx/roster/roster/ask\.conf;$}m, '... includes the question';
    unlike $text, qr/\@[A-Z_]+\@/, '... is filled in';
}
my ($status, $said) = $roster->rosterctl('nginx', 'protect', 'perl');
is $status >> 8, 2, 'nginx protect perl';
like $said, qr/there is no kind "perl"; there are php proxy/, '... says which kinds there are';

# ---- Without Roster, or what it needs ----

# The program that says what arrives has a copy of our connection to MariaDB.
kill 'TERM', $echo;
waitpid $echo, 0;
undef $echo;

# nginx makes 500 of any status but 2xx, 401 and 403.
$session = {token => $roster->new_session($anne)};
is fetch('/files/a.txt', $session)->{status}, 200, 'a session';
$roster->stop('mariadb');
for my $who ([$session, 'a session'], [$anne, 'a token']) {
    my $refused = fetch('/files/a.txt', $who->[0], @page);
    is_problem $refused, 503, 'UNAVAILABLE', "while MariaDB is away, $who->[1]: 503, and neither 500 nor the page";
    ok $refused->{headers}{'retry-after'}, '... with Retry-After';
}
is fetch('/files/a.txt', undef, @page)->{status}, 303, '... who is not signed in still goes to sign in';
$roster->start('mariadb');
ok wait_until(30, sub { fetch('/files/a.txt', $session)->{status} == 200 }), '... and it is over when MariaDB is back';
$roster->set_directives(redis_required => 'yes');
$roster->reload;
$roster->stop('redis');
ok wait_until(30, sub { fetch('/files/a.txt', $session, @page)->{status} == 503 }), 'while a needed Redis is away: 503';
$roster->start('redis');
ok wait_until(30, sub { fetch('/files/a.txt', $session)->{status} == 200 }), '... and it is over when Redis is back';

$roster->stop('roster');
$answer = fetch('/files/a.txt', $anne);
is $answer->{status}, 503, 'while Roster is away: 503, and not 500';
ok $answer->{headers}{'retry-after'}, '... with Retry-After';

$roster->finish;
done_testing;
