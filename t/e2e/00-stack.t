# The stack itself: nginx's part of the work, and that this module's own tools do what the other tests rely on.
use v5.36;

use Test::More;
use Roster;
use Roster::Tables;

my $roster = Roster->new(https => 1, tcp => 1);
my $source = $roster->{source};

# ---- Errors that nginx makes ----

my %errors =
    map { ($_->[0] => {status => $_->[1], detail => $_->[2]}) } Roster::Tables::rows('tables/errors.def', 'ERROR');

subtest 'every error of nginx is one of errors.def' => sub {
    my $text = Roster::Database::slurp("$source/nginx/roster-locations.conf");
    my $count = 0;
    while ($text =~ /return (\d+) '\{"detail": "(.*)", "code": "(\w+)"\}';/g) {
        my ($status, $detail, $code) = ($1, $2, $3);
        $detail =~ s/\\'/'/g;
        is $errors{$code}{status}, $status, "$code has this status in the table";
        is $detail, $errors{$code}{detail}, "$code has this text in the table" if $detail !~ /takes https only/;
        $count++;
    }
    ok $count >= 10, 'they were found';
};

my @nginx_errors = (
    ['no HTTP at all', "rubbish\r\n\r\n", 400, 'BAD_REQUEST'],
    ['no Host', "GET /users/ HTTP/1.1\r\n\r\n", 400, 'BAD_REQUEST'],
    ['two Hosts', "GET /users/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, 'BAD_REQUEST'],
    ['a NUL in the path', "GET /users/%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'BAD_REQUEST'],
    ['above the root', "GET /..%2f..%2fetc HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'BAD_REQUEST'],
    [
        'an unknown transfer coding',
        "POST /users/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: rot13\r\n\r\n",
        400, 'BAD_REQUEST'
    ],
    [
        'length and chunks',
        "POST /users/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400, 'BAD_REQUEST'
    ],
    ['a length that is no number', "POST /users/ HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400, 'BAD_REQUEST'],
    ['HTTP of another age', "GET /users/ HTTP/7.0\r\nHost: a\r\n\r\n", 400, 'BAD_REQUEST'],
    ['a long address', 'GET /users/' . ('x' x 20000) . " HTTP/1.1\r\nHost: a\r\n\r\n", 414, 'URI_TOO_LONG'],
    [
        'a 64 KB token', "GET /users/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " . ('x' x 65536) . "\r\n\r\n",
        431, 'HEADER_FIELDS_TOO_LARGE'
    ],
    [
        'many large header fields',
        "GET /users/ HTTP/1.1\r\nHost: a\r\n" . ('X-Large: ' . ('x' x 8000) . "\r\n") x 20 . "\r\n",
        431, 'HEADER_FIELDS_TOO_LARGE'
    ],
    ['TRACE', "TRACE /users/ HTTP/1.1\r\nHost: a\r\n\r\n", 405, 'METHOD_NOT_ALLOWED']);
for my $case (@nginx_errors) {
    my ($name, $bytes, $status, $code) = @$case;
    my $answer = $roster->raw($bytes);
    is_problem $answer, $status, $code, "$name is $status $code";
    ok $answer->{headers}{'x-request-id'}, "$name: with the request's id" if $answer;
    ok $answer->{headers}{allow}, "$name: with Allow" if $status == 405;
}

{
    my $answer = $roster->raw("CONNECT example.org:80 HTTP/1.1\r\nHost: a\r\n\r\n");
    like $answer->{json}{code}, qr/^(?:BAD_REQUEST|METHOD_NOT_ALLOWED)$/,
        'CONNECT is refused (nginx 1.22: 400, later 405)';
}

is_problem $roster->request(
    POST => '/users/user/info/update',
    body => '{' . ' ' x 10_000_000 . '}',
    headers => ['Content-Type', 'application/json']
    ),
    413, 'CONTENT_TOO_LARGE', '10 MB of body are 413';
is_problem $roster->request(POST => '/users/user/info/update', body => ' ' x 5_000_000, chunked => 100_000), 413,
    'CONTENT_TOO_LARGE', 'in chunks too';
is_problem $roster->request(POST => '/auths/signin', body => ' ' x 5_000_000), 413, 'CONTENT_TOO_LARGE',
    'and at the other pool';

# ---- Static files ----

for my $target ('/user.png') {
    my $answer = $roster->get($target);
    is $answer->{status}, 200, "$target is there";
    is $answer->{headers}{'content-type'}, 'image/png', 'as PNG';
    is $answer->{body}, Roster::Database::slurp("$source/nginx/static/user.png"), 'whole';
    is $answer->{headers}{'x-content-type-options'}, 'nosniff', 'and nothing may guess otherwise';
    is $roster->request(GET => $target, headers => ['If-None-Match', $answer->{headers}{etag}])->{status}, 304,
        'its ETag gives 304';
    my $head = $roster->request(HEAD => $target);
    is_deeply [@{$head}{qw(status body)}, $head->{headers}{'content-length'}], [200, '', length $answer->{body}],
        'HEAD';
    my $part = $roster->request(GET => $target, headers => [Range => 'bytes=1-3']);
    is_deeply [@{$part}{qw(status body)}], [206, 'PNG'], 'a range';
    is_problem $roster->request(GET => $target, headers => [Range => 'bytes=99999-']), 416, 'RANGE_NOT_SATISFIABLE',
        'a range beyond the end';
    is_problem $roster->request(GET => $target, headers => ['If-Match', '"other"']), 412, 'PRECONDITION_FAILED',
        'If-Match with another ETag';
    my $post = $roster->request(POST => $target, body => 'x');
    is_problem $post, 405, 'METHOD_NOT_ALLOWED', 'POST';
    is $post->{headers}{allow}, 'GET, HEAD, OPTIONS', 'with what is allowed';
    my $options = $roster->request(OPTIONS => $target);
    is_deeply [$options->{status}, $options->{headers}{allow}], [204, 'GET, HEAD, OPTIONS'], 'OPTIONS';
}
is_problem $roster->get('/roster-static/user.png'), 404, 'PATH_NOT_FOUND', 'the internal location is not for clients';
is_problem $roster->get('/roster-error/503'), 404, 'PATH_NOT_FOUND', 'nor are those of the errors';

# ---- Pages ----

{
    is_deeply [@{$roster->get($_)}{status}, $roster->get($_)->{headers}{location}], [302, '/account/'],
        "$_ leads to the pages"
        for '/', '/account';
    my %is = (
        '/account/' => 'index.html',
        '/account/sign-in?rd=%2F' => 'sign-in.html',
        '/account/sign-up' => 'sign-in.html',
        '/account/en.txt' => 'en.txt',
        '/account/page.js' => 'page.js',
        '/account/style.css' => 'style.css',
        '/account/client.js' => 'client.js',
        '/admin/' => '../admin/index.html',
        '/admin/person?id=x' => '../admin/index.html',
        '/admin/person.js' => '../admin/person.js');
    for my $target (sort keys %is) {
        my $answer = $roster->get($target, undef, headers => [Cookie => 'a=b; token=x']);
        my ($kind) = $is{$target} =~ /\.(\w+)$/;
        is $answer->{status}, 200, "$target is there";
        is $answer->{headers}{'content-type'},
            {html => 'text/html', js => 'text/javascript', css => 'text/css', txt => 'text/plain'}->{$kind}
            . '; charset=utf-8',
            '... with its type';
        is $answer->{body}, Roster::Database::slurp("$roster->{build}/nginx/www/account/$is{$target}"), '... whole';
        my @links = ($answer->{headers}{link} // '') =~ m{<(/[^>]*)>}g;
        my @of_admin = $target =~ m{^/admin/} ? '/admin/admin.js' : ();
        is_deeply \@links,
            $kind eq 'html'
            ? ['/account/page.js', '/account/client.js', @of_admin, '/api/v1/auths/site', '/api/v1/auths']
            : [],
            '... and what a page will ask for';
        unlike $roster->get($target)->{headers}{link} // '', qr{/auths>}, '... but not who it is, without a session';
        is $answer->{headers}{'content-security-policy'},
            q{default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; }
            . q{form-action 'self'; base-uri 'none'; frame-ancestors 'none'}, '... with its policy';
        is $answer->{headers}{'cache-control'}, 'no-cache', '... and is asked for each time';
        is $answer->{headers}{$_->[0]}, $_->[1], "... $_->[0]"
            for ['x-content-type-options', 'nosniff'], ['x-frame-options', 'DENY'], ['referrer-policy', 'same-origin'],
            ['cross-origin-opener-policy', 'same-origin'];
        ok $answer->{headers}{'x-request-id'}, '... and an id';
    }
    is_problem $roster->get($_), 404, 'PATH_NOT_FOUND', "$_ is none"
        for '/account/nothing', '/account/..%2froster-pages.conf', '/account/sign-in/', '/admin/nothing';
    my $post = $roster->request(POST => '/account/', body => 'x');
    is_problem $post, 405, 'METHOD_NOT_ALLOWED', 'POST of a page';
    is $post->{headers}{allow}, 'GET, HEAD, OPTIONS', '... with what is allowed';
    my $options = $roster->request(OPTIONS => '/account/sign-in');
    is_deeply [$options->{status}, $options->{headers}{allow}], [204, 'GET, HEAD, OPTIONS'], '... OPTIONS';
}

# ---- Pictures ----

{
    my $name = '/pictures/' . 'ab' x 32 . '.png';
    is_problem $roster->get($name), 404, 'NOT_FOUND', 'a picture that nobody has';
    ok !-e "$roster->{directory}/pictures$name", 'is not kept';
    mkdir "$roster->{directory}/pictures/pictures";
    Roster::Database::write_file("$roster->{directory}/pictures$name", 'kept');
    my $answer = $roster->get($name);
    is_deeply [@{$answer}{qw(status body)}], [200, 'kept'], 'one that is kept comes from nginx';
    is $answer->{headers}{'content-type'}, 'image/png', 'with its type';
    like $answer->{headers}{'cache-control'}, qr/immutable/, 'for ever';
    isnt $roster->request(POST => $name, body => '')->{status}, 200, 'POST is not answered from there';
    isnt $roster->get('/pictures/..%2f..%2fsecret.key')->{status}, 200, 'and nothing else of the directory';
}

# ---- Requests for the workers ----

is_problem $roster->get($_), 404, 'PATH_NOT_FOUND', "$_ is 404 from a worker"
    for '/nothing', '/api/v1/nothing', '/pictures', '/index.html';

for my $path ('/status', '/ping', '/ready', '/api/v1/status', '/%73tatus', '//ping/') {
    is_problem $roster->request(GET => $path, client => '203.0.113.7'), 404, 'PATH_NOT_FOUND',
        "$path is not for other machines";
}
isnt $roster->request(GET => '/ping', client => '::1')->{status}, 404, '/ping is for this one';

is_problem $roster->request(GET => '/users/', headers => {map { ("X-Field-$_" => 'x') } 1 .. 200}), 431,
    'HEADER_FIELDS_TOO_LARGE', '200 header fields are 431';

{
    my $answer = $roster->raw(
              "POST /auths/signin HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n"
            . "Content-Length: 2\r\nConnection: close\r\n\r\n{}");
    is $answer->{status}, 422, 'Expect: 100-continue is answered';
    is_deeply $answer->{interim}, [100], 'by 100 first';
}
{
    my $head = $roster->request(HEAD => '/users/');
    is_deeply [@{$head}{qw(status body)}], [401, ''], 'HEAD of an error has no body';
}

# ---- https, http ----

{
    my $answer = $roster->request(GET => '/users/', https => 1);
    is_problem $answer, 401, 'NOT_AUTHENTICATED', 'https works';
    like $answer->{headers}{'strict-transport-security'}, qr/^max-age=\d+$/, 'and asks for https for ever';
    is $roster->get('/users/')->{headers}{'strict-transport-security'}, undef, 'http does not';
    is_problem $roster->request(GET => '/users/', tcp => 1), 401, 'NOT_AUTHENTICATED', 'TCP works';
    my $socket = Roster::Http::open_socket(tcp => $roster->{port}{https});
    is_problem Roster::Http::exchange($socket, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 'BAD_REQUEST',
        'http to the https port is 400';
}

# ---- Pools ----

# Which upstream nginx chooses for a method and a path, as the files say it: the locations in their order, then
# `location /` with its map.
sub upstream_chooser ($locations, $upstreams) {
    my @patterns;
    while ($locations =~ /^location ~ (\S+) \{\n(.*?)^\}/msg) {
        my ($pattern, $body) = ($1, $2);
        $pattern =~ s/^"(.*)"$/$1/;
        push @patterns, [qr/$pattern/, $1] if $body =~ /^\s+fastcgi_pass (\w+);/m;
    }
    my ($map) = $upstreams =~ /^map \$request_method \$roster_pool \{\n(.*?)^\}/ms or die "no map\n";
    my %by_method = $map =~ /^\s+(\w+)\s+(\w+);/mg;
    $locations =~ m{^location / \{\n[^\}]*fastcgi_pass \$roster_pool;}m or die "no location /\n";
    return sub ($method, $path) {
        for (@patterns) { return $_->[1] if $path =~ $_->[0] }
        return $by_method{$method} // $by_method{default};
    };
}

subtest 'nginx sends each route to its pool' => sub {
    my $chosen = upstream_chooser(map { Roster::Database::slurp("$source/nginx/$_") }
            qw(roster-locations.conf roster-upstream.conf));
    my @routes = Roster::Tables::records('tables/routes.def', 'ROUTE');
    my %writes_by_get = (sign_out => 1);
    for my $route (@routes) {
        my ($name, $method, $path, $place, $pool) = @$route{qw(name method path place pool)};
        $path =~ s/\{\w+\}/an-id/g;
        # What may hash is looked at by a worker that does not; it sends it on where it does.
        $pool = 'API_WRITE'
            if $pool eq 'PASSWORD' || $pool eq 'API' && ($method =~ /^(?:POST|DELETE)$/ || $writes_by_get{$name});
        for my $whole ($path, $place eq 'UNDER_API' ? "/api/v1$path" : ()) {
            next if $path =~ m{^/pictures/};
            is $chosen->($method, $_), 'roster_' . lc $pool, "$method $_ ($name)" for $whole, "$whole/";
        }
    }

    my $locations = Roster::Database::slurp("$source/nginx/roster-locations.conf");
    my $hashing = join '|', $locations =~ /location ~ (\S+) \{[^}]*ROSTER_HAND_OVER on;[^}]*\}/g
        or return fail 'the locations of what may hash were not found';
    for my $route (@routes) {
        my ($path, $hashes) = ($route->{path} =~ s/\{\w+\}/an-id/gr, $route->{pool} eq 'PASSWORD');
        ok $hashes == ($path =~ /$hashing/ ? 1 : 0),
            "$path " . ($hashes ? 'may be sent on to the password pool' : 'is no business of the password pool')
            if $path ne '/users/an-id/update' || $hashes;
    }
    like $locations, qr/location \@$_ \{[^}]*ROSTER_ADMISSION \$roster_admission;\s+fastcgi_pass $_;/, "$_ says so"
        for qw(roster_password roster_password_first);
};

subtest 'each pool gets what is sent to it' => sub {
    my $admin = $roster->add_user(role => 'admin');
    my %options = (token => $admin->{token});
    my $count = sub ($pool) {
        my $status = $roster->status;
        return $status->{pools}{$pool}{requests};
    };
    for my $case (
        [directory => GET => '/users/'],
        [directory => GET => '/api/v1/users/search?query=a'],
        [directory => GET => '/users/all'],
        [directory => GET => '/groups/'],
        [api => GET => "/users/$admin->{id}"],
        [api => POST => '/users/user/status/update'],
        [api => GET => '/auths/signout'],
        [password => POST => '/auths/signin', {email => $admin->{email}, password => $admin->{password}}],
        [status => GET => '/ready'],
        [api => GET => '/ping'])
    {
        my ($pool, $method, $path, $body) = @$case;
        my $before = $count->($pool);
        ok $roster->request(
            $method => $path,
            ($path =~ /signout/ ? () : %options), $method eq 'POST' ? (json => $body // {}) : ()
        )->{status} < 500, "$method $path";
        # Of status, the first count is one itself.
        ok wait_until(5, sub { $count->($pool) >= $before + ($pool eq 'status' ? 2 : 1) }), "is answered by $pool";
    }
};

subtest 'the files of an earlier version, which know two sockets' => sub {
    my $directory = "$roster->{directory}/nginx";
    my %new = map { ($_ => Roster::Database::slurp("$directory/$_")) }
        qw(roster-upstream.conf roster-locations.conf roster-fastcgi.conf);
    my %old = %new;
    # As they were: a pool for what hashes, and one for all the rest.
    $old{'roster-upstream.conf'} =~ s/^upstream roster_(?:api_write|password_first|directory|status) \{.*?^\}\n//msg;
    $old{'roster-upstream.conf'} =~ s/^map \$request_method \$roster_pool \{.*?^\}\n//ms;
    $old{'roster-locations.conf'} =~ s/^location \@roster_password\w* \{.*?^\}\n//msg;
    $old{'roster-locations.conf'} =~
        s/fastcgi_param ROSTER_HAND_OVER on;\s+fastcgi_pass roster_api_write;/fastcgi_pass roster_password;/g;
    $old{'roster-fastcgi.conf'} =~ s/^fastcgi_param PEER_ADDR .*\n//m;
    $old{'roster-locations.conf'} =~
        s/fastcgi_pass (?:\$roster_pool|roster_api_write|roster_directory|roster_status);/fastcgi_pass roster_api;/g;
    unlike join('', values %old), qr/roster_(?:api_write|directory|status)\b|-write\.sock|-first\.sock/,
        'nothing of the new sockets is left in them';
    my $use = sub ($files) {
        Roster::Database::write_file("$directory/$_", $files->{$_}) for sort keys %$files;
        my %before = map { ($_ => 1) } $roster->process('nginx')->children;
        $roster->process('nginx')->signal('HUP');
        ok wait_until(
            20,
            sub {
                !grep { $before{$_} } $roster->process('nginx')->children;
            }
            ),
            'nginx takes them';
    };
    $use->(\%old);
    my $admin = $roster->add_user(role => 'admin');
    my $signed_in = $roster->sign_in($admin);
    is $signed_in->{status}, 200, 'signing in';
    my %options = (token => $signed_in->{json}{token});
    is $roster->request(GET => $_, %options)->{status}, 200, "GET $_"
        for '/users/', "/users/$admin->{id}", '/ping', '/ready', '/status';
    is $roster->request(POST => '/users/user/info/update', %options, json => {a => 1})->{status}, 200, 'a write';
    $use->(\%new);
    is $roster->request(GET => '/users/', %options)->{status}, 200, 'and with the new ones again';
};

# ---- What nginx says while no worker answers ----

$roster->stop('roster');
for my $case (['/users/', 1], ['/auths/signin', 5], ['/api/v1/users/x/update/?a=b', 5], ['/auths/signout', 1]) {
    my ($path, $seconds) = @$case;
    my $answer = $roster->request(POST => $path, body => '{}');
    is_problem $answer, 503, 'UNAVAILABLE', "$path is 503 while the service is down";
    is $answer->{headers}{'retry-after'}, $seconds, "and says when to come back ($seconds s)";
}
is $roster->get('/user.png')->{status}, 200, 'what is static is still there';
$roster->start('roster');
is_problem $roster->get('/users/'), 401, 'NOT_AUTHENTICATED', 'and it comes back';

# ---- This module's own tools ----

{
    $roster->sql('CREATE TABLE tool (id INT, text TEXT)');
    $roster->sql('INSERT INTO tool VALUES (?, ?), (?, ?)', 1, "a\tb\n\\'\"? \x{e9}\x{1f600}", 2, undef);
    is_deeply [$roster->sql('SELECT id, text FROM tool ORDER BY id')],
        [[1, "a\tb\n\\'\"? \x{e9}\x{1f600}"], [2, undef]], 'sql() gives what was put in';
    is_deeply [$roster->rows('SELECT id FROM tool ORDER BY id')], [{id => 1}, {id => 2}], 'rows() too';
    ok !eval { $roster->sql('SELECT nothing FROM tool') }, 'a wrong statement dies';
    like $@, qr/nothing/, 'and says why';
    is $roster->sql('SELECT 1'), 1, 'the connection is still good';
    is $roster->redis('SET', 'tool', "\x{e9}"), 'OK', 'redis() too';
    is $roster->jwt({id => 'x'}, key => 'key'),
        'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6IngifQ.'
        . MIME::Base64::encode_base64url(
        Digest::SHA::hmac_sha256('eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6IngifQ', 'key')), 'jwt()';
    is crypt($Roster::PASSWORD, $Roster::PASSWORD_HASH), $Roster::PASSWORD_HASH,
        'the known hash is that of the known password';
    my $direct = $roster->fastcgi('api', {REQUEST_URI => '/nothing'});
    is_problem $direct, 404, 'PATH_NOT_FOUND', 'fastcgi() asks a worker directly';
    is scalar(my @api = $roster->workers('api')), 2, 'workers() finds both of the one pool';
    is scalar(my @password = $roster->workers('password')), 1, 'and that of the other';
    my $user = $roster->add_user(role => 'admin', settings => {ui => {theme => 'dark'}});
    is $roster->sql('SELECT role FROM `user` WHERE id = ?', $user->{id}), 'admin', 'add_user() adds one';
}

done_testing;
