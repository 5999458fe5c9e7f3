# The stack itself: nginx's part of the work, and that this module's own tools do what the other tests rely on.
use v5.36;

use Test::More;
use Roster;

my $roster = Roster->new(https => 1, tcp => 1);
my $source = $roster->{source};

# ---- Errors that nginx makes ----

my %errors;
{
    my $text = Roster::Database::slurp("$source/src/tables/errors.def");
    $errors{$1} = {status => $2, detail => $3} while $text =~ /^ERROR\((\w+), (\d+), "((?:[^"\\]|\\.)*)"\)/mg;
}

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
    ['an unknown transfer coding', "POST /users/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: rot13\r\n\r\n", 400, 'BAD_REQUEST'],
    ['length and chunks', "POST /users/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 'BAD_REQUEST'],
    ['a length that is no number', "POST /users/ HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400, 'BAD_REQUEST'],
    ['HTTP of another age', "GET /users/ HTTP/7.0\r\nHost: a\r\n\r\n", 400, 'BAD_REQUEST'],
    ['a long address', 'GET /users/' . ('x' x 20000) . " HTTP/1.1\r\nHost: a\r\n\r\n", 414, 'URI_TOO_LONG'],
    ['a 64 KB token', "GET /users/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " . ('x' x 65536) . "\r\n\r\n", 431, 'HEADER_FIELDS_TOO_LARGE'],
    ['many large header fields', "GET /users/ HTTP/1.1\r\nHost: a\r\n" . ('X-Large: ' . ('x' x 8000) . "\r\n") x 20 . "\r\n", 431, 'HEADER_FIELDS_TOO_LARGE'],
    ['TRACE', "TRACE /users/ HTTP/1.1\r\nHost: a\r\n\r\n", 405, 'METHOD_NOT_ALLOWED'],
);
for my $case (@nginx_errors) {
    my ($name, $bytes, $status, $code) = @$case;
    my $answer = $roster->raw($bytes);
    is_problem $answer, $status, $code, "$name is $status $code";
    ok $answer->{headers}{'x-request-id'}, "$name: with the request's id" if $answer;
    ok $answer->{headers}{allow}, "$name: with Allow" if $status == 405;
}

{
    my $answer = $roster->raw("CONNECT example.org:80 HTTP/1.1\r\nHost: a\r\n\r\n");
    like $answer->{json}{code}, qr/^(?:BAD_REQUEST|METHOD_NOT_ALLOWED)$/, 'CONNECT is refused (nginx 1.22: 400, later 405)';
}

is_problem $roster->request(POST => '/users/user/info/update', body => '{' . ' ' x 10_000_000 . '}', headers => ['Content-Type', 'application/json']),
    413, 'CONTENT_TOO_LARGE', '10 MB of body are 413';
is_problem $roster->request(POST => '/users/user/info/update', body => ' ' x 5_000_000, chunked => 100_000), 413, 'CONTENT_TOO_LARGE', 'in chunks too';
is_problem $roster->request(POST => '/auths/signin', body => ' ' x 5_000_000), 413, 'CONTENT_TOO_LARGE', 'and at the other pool';

# ---- Static files ----

for my $target ('/user.png') {
    my $answer = $roster->request(GET => $target);
    is $answer->{status}, 200, "$target is there";
    is $answer->{headers}{'content-type'}, 'image/png', 'as PNG';
    is $answer->{body}, Roster::Database::slurp("$source/nginx/static/user.png"), 'whole';
    is $answer->{headers}{'x-content-type-options'}, 'nosniff', 'and nothing may guess otherwise';
    is $roster->request(GET => $target, headers => ['If-None-Match', $answer->{headers}{etag}])->{status}, 304, 'its ETag gives 304';
    my $head = $roster->request(HEAD => $target);
    is_deeply [@{$head}{qw(status body)}, $head->{headers}{'content-length'}], [200, '', length $answer->{body}], 'HEAD';
    my $part = $roster->request(GET => $target, headers => [Range => 'bytes=1-3']);
    is_deeply [@{$part}{qw(status body)}], [206, 'PNG'], 'a range';
    is_problem $roster->request(GET => $target, headers => [Range => 'bytes=99999-']), 416, 'RANGE_NOT_SATISFIABLE', 'a range beyond the end';
    is_problem $roster->request(GET => $target, headers => ['If-Match', '"other"']), 412, 'PRECONDITION_FAILED', 'If-Match with another ETag';
    my $post = $roster->request(POST => $target, body => 'x');
    is_problem $post, 405, 'METHOD_NOT_ALLOWED', 'POST';
    is $post->{headers}{allow}, 'GET, HEAD, OPTIONS', 'with what is allowed';
    my $options = $roster->request(OPTIONS => $target);
    is_deeply [$options->{status}, $options->{headers}{allow}], [204, 'GET, HEAD, OPTIONS'], 'OPTIONS';
}
is_problem $roster->request(GET => '/roster-static/user.png'), 404, 'PATH_NOT_FOUND', 'the internal location is not for clients';
is_problem $roster->request(GET => '/roster-error/503'), 404, 'PATH_NOT_FOUND', 'nor are those of the errors';

# ---- Pictures ----

{
    my $name = '/pictures/' . 'ab' x 32 . '.png';
    is_problem $roster->request(GET => $name), 404, 'NOT_FOUND', 'a picture that nobody has';
    ok !-e "$roster->{directory}/pictures$name", 'is not kept';
    mkdir "$roster->{directory}/pictures/pictures";
    Roster::Database::write_file("$roster->{directory}/pictures$name", 'kept');
    my $answer = $roster->request(GET => $name);
    is_deeply [@{$answer}{qw(status body)}], [200, 'kept'], 'one that is kept comes from nginx';
    is $answer->{headers}{'content-type'}, 'image/png', 'with its type';
    like $answer->{headers}{'cache-control'}, qr/immutable/, 'for ever';
    isnt $roster->request(POST => $name, body => '')->{status}, 200, 'POST is not answered from there';
    isnt $roster->request(GET => '/pictures/..%2f..%2fsecret.key')->{status}, 200, 'and nothing else of the directory';
}

# ---- Requests for the workers ----

is_problem $roster->request(GET => $_), 404, 'PATH_NOT_FOUND', "$_ is 404 from a worker" for '/', '/nothing', '/api/v1/nothing', '/pictures', '/index.html';

for my $path ('/status', '/ping', '/ready', '/api/v1/status', '/%73tatus', '//ping/') {
    is_problem $roster->request(GET => $path, client => '203.0.113.7'), 404, 'PATH_NOT_FOUND', "$path is not for other machines";
}
isnt $roster->request(GET => '/ping', client => '::1')->{status}, 404, '/ping is for this one';

is_problem $roster->request(GET => '/users/', headers => {map { ("X-Field-$_" => 'x') } 1 .. 200}), 431, 'HEADER_FIELDS_TOO_LARGE', '200 header fields are 431';

{
    my $answer = $roster->raw("POST /auths/signin HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n"
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
    is $roster->request(GET => '/users/')->{headers}{'strict-transport-security'}, undef, 'http does not';
    is_problem $roster->request(GET => '/users/', tcp => 1), 401, 'NOT_AUTHENTICATED', 'TCP works';
    my $socket = Roster::Http::open_socket(tcp => $roster->{port}{https});
    is_problem Roster::Http::exchange($socket, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 'BAD_REQUEST', 'http to the https port is 400';
}

# ---- Pools ----

subtest 'nginx sends each route to its pool' => sub {
    my ($pattern) = Roster::Database::slurp("$source/nginx/roster-locations.conf") =~ /location ~ (\S+) \{\n\s+gzip off;/
        or return fail 'the location of the password pool was not found';
    my $routes = Roster::Database::slurp("$source/src/tables/routes.def");
    my (%hashes, %path);
    while ($routes =~ /^ROUTE\((\w+), (\w+), "([^"]+)", (\w+),(?: \w+,){5} (API|PASSWORD),/mg) {
        my ($name, $method, $path, $place, $pool) = ($1, $2, $3, $4, $5);
        $path =~ s/\{\w+\}/an-id/g;
        $path{"$method $path"} = $path;
        $hashes{$path} ||= $pool eq 'PASSWORD';
        $hashes{"/api/v1$path"} ||= $pool eq 'PASSWORD' if $place eq 'API';
    }
    is scalar(keys %path), scalar(() = $routes =~ /^ROUTE\(/mg), 'every row was read';
    for my $path (sort keys %hashes) {
        if ($hashes{$path}) { like $_, qr/$pattern/, "$_ hashes a password" for $path, "$path/" }
        else { unlike $path, qr/$pattern/, "$path does not" }
    }
};

# ---- What nginx says while no worker answers ----

$roster->stop('roster');
for my $case (['/users/', 1], ['/auths/signin', 5], ['/api/v1/users/x/update/?a=b', 5], ['/auths/signout', 1]) {
    my ($path, $seconds) = @$case;
    my $answer = $roster->request(POST => $path, body => '{}');
    is_problem $answer, 503, 'UNAVAILABLE', "$path is 503 while the service is down";
    is $answer->{headers}{'retry-after'}, $seconds, "and says when to come back ($seconds s)";
}
is $roster->request(GET => '/user.png')->{status}, 200, 'what is static is still there';
$roster->start('roster');
is_problem $roster->request(GET => '/users/'), 401, 'NOT_AUTHENTICATED', 'and it comes back';

# ---- The site file ----

subtest "Debian's nginx accepts the site file" => sub {
    my $directory = "$roster->{directory}/nginx";
    my %word = (
        SERVER_NAME => 'users.example.org', TLS_CERTIFICATE => "$directory/tls.crt", TLS_KEY => "$directory/tls.key", NGINX_DIRECTORY => $directory);
    my $site = Roster::Database::slurp("$source/nginx/roster.conf") =~ s/\@([A-Z_]+)\@/$word{$1} \/\/ die "no word for $1"/ger;
    $site =~ s{/var/log/nginx/}{$roster->{directory}/log/}g;
    # nginx -t binds for a moment what it is told to listen on.
    my $number = 0;
    $site =~ s/listen (?:\[::\]:)?(?:80|443)\b/'listen unix:' . $roster->socket_path('site' . $number++)/ge;
    Roster::Database::write_file("$directory/site.conf", $site);
    Roster::Database::write_file("$directory/whole.conf", <<~"CONF");
        pid $directory/whole.pid;
        error_log $roster->{directory}/log/site.log;
        events { }
        http { access_log off; client_body_temp_path $directory/temporary/b; fastcgi_temp_path $directory/temporary/f; proxy_temp_path $directory/temporary/p;
            scgi_temp_path $directory/temporary/s; uwsgi_temp_path $directory/temporary/u; include $directory/site.conf; }
        CONF
    my $nginx = Roster::Database::find_program('nginx');
    my $output = qx{$nginx -t -c $directory/whole.conf -e stderr 2>&1};
    is $?, 0, 'nginx -t' or diag $output;
    unlike $output, qr/\[warn\](?!.*"listen ... http2" directive is deprecated)/, 'without warnings (later versions want http2 elsewhere)';
};

# ---- This module's own tools ----

{
    $roster->sql('CREATE TABLE tool (id INT, text TEXT)');
    $roster->sql('INSERT INTO tool VALUES (?, ?), (?, ?)', 1, "a\tb\n\\'\"? \x{e9}\x{1f600}", 2, undef);
    is_deeply [$roster->sql('SELECT id, text FROM tool ORDER BY id')], [[1, "a\tb\n\\'\"? \x{e9}\x{1f600}"], [2, undef]], 'sql() gives what was put in';
    is_deeply [$roster->rows('SELECT id FROM tool ORDER BY id')], [{id => 1}, {id => 2}], 'rows() too';
    ok !eval { $roster->sql('SELECT nothing FROM tool') }, 'a wrong statement dies';
    like $@, qr/nothing/, 'and says why';
    is $roster->sql('SELECT 1'), 1, 'the connection is still good';
    is $roster->redis('SET', 'tool', "\x{e9}"), 'OK', 'redis() too';
    is $roster->jwt({id => 'x'}, key => 'key'), 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6IngifQ.'
        . MIME::Base64::encode_base64url(Digest::SHA::hmac_sha256('eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6IngifQ', 'key')), 'jwt()';
    is crypt($Roster::PASSWORD, $Roster::PASSWORD_HASH), $Roster::PASSWORD_HASH, 'the known hash is that of the known password';
    my $direct = $roster->fastcgi('api', {REQUEST_URI => '/nothing'});
    is_problem $direct, 404, 'PATH_NOT_FOUND', 'fastcgi() asks a worker directly';
    is scalar(my @api = $roster->workers('api')), 2, 'workers() finds both of the one pool';
    is scalar(my @password = $roster->workers('password')), 1, 'and that of the other';
    my $user = $roster->add_user(role => 'admin', settings => {ui => {theme => 'dark'}});
    is $roster->sql('SELECT role FROM `user` WHERE id = ?', $user->{id}), 'admin', 'add_user() adds one';
}

done_testing;
