# nginx in front: the site file as `rosterctl nginx write` makes it, within Debian's nginx.conf, over TLS; HEAD, ranges,
# bodies, clients that leave, compression. What nginx answers by itself, and its errors, are in 00-stack.t; slow clients
# in 25-bad-input.t.
use v5.36;

use Compress::Zlib ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes ();

use Roster;
use Roster::Pictures;
use Roster::Process;

# Bodies as large as nginx takes may be kept here.
my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d', document_size_limit => '16m'});
my $directory = $roster->directory;
my $admin = $roster->add_user(role => 'admin', last_active_at => time);
my $user = $roster->add_user(last_active_at => time);
my $default = Roster::Database::slurp("$roster->{source}/nginx/static/user.png");

# ---- The site file ----

my %port = map { ($_ => Roster::free_port()) } qw(http https);
my $site_url = "https://127.0.0.1:$port{https}";

# Debian's nginx.conf with its own directories made ours, and the site in place of those that are enabled there.
sub site_configuration () {
    my $whole =
        -e '/etc/nginx/nginx.conf'
        ? Roster::Database::slurp('/etc/nginx/nginx.conf')
        : "events { }\nhttp { include /etc/nginx/sites-enabled/*; }\n";
    my $included = qr{include /etc/nginx/(?:modules-enabled|conf\.d)/\S+};
    $whole =~ s/^\s*(?:user|pid|error_log|access_log|$included)\b.*;.*\n//mg;
    $whole =~ s{include /etc/nginx/sites-enabled/\*;}{include $directory/site/roster.conf;}
        or die "nginx.conf includes no sites\n";
    my $own = "access_log off; client_body_temp_path $directory/site/body; fastcgi_temp_path $directory/site/fastcgi;";
    $whole =~ s/^http \{/http { $own/m;
    return ($> == 0 ? "user root;\n" : '')
        . "pid $directory/site/nginx.pid; error_log $directory/log/nginx-site.log;\n$whole";
}

my $nginx = Roster::Database::find_program('nginx');
subtest "Debian's nginx accepts the site" => sub {
    mkdir "$directory/site";
    system(   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
            . "-keyout '$directory/site/tls.key' -out '$directory/site/tls.crt' 2>>'$directory/log/openssl.log'") == 0
        or die "openssl failed\n";
    my ($status, $text) = $roster->rosterctl(
        'nginx', 'write',
        "$directory/site", '--templates',
        "$roster->{source}/nginx", '--server-name',
        'users.example.org', '--tls-certificate',
        "$directory/site/tls.crt", '--tls-key',
        "$directory/site/tls.key", '--store-directory',
        "$directory/pictures", '--static-directory',
        "$roster->{source}/nginx/static");
    is $status, 0, 'rosterctl writes it' or diag $text;
    my $site = Roster::Database::slurp("$directory/site/roster.conf");
    is scalar($site =~ s/^\s*listen \[::\]:.*\n//mg), 2, 'it listens on IPv6, too';
    $site =~ s/listen 80;/listen 127.0.0.1:$port{http};/ or die;
    $site =~ s/listen 443 /listen 127.0.0.1:$port{https} / or die;
    $site =~ s{/var/log/nginx/roster\.(\w+)\.log}{$directory/log/site-$1.log}g;
    Roster::Database::write_file("$directory/site/roster.conf", $site);
    Roster::Database::write_file("$directory/site/whole.conf", site_configuration());
    my $output = qx{$nginx -t -c $directory/site/whole.conf 2>&1};
    is $?, 0, 'nginx -t' or diag $output;
    unlike $output, qr/\[warn\](?!.*"listen ... http2" directive is deprecated)/,
        'without warnings (later versions want http2 elsewhere)';

    # And the snippet alone, in somebody's own server.
    Roster::Database::write_file("$directory/site/own.conf",
              "pid $directory/site/own.pid; error_log $directory/log/own.log; events { }\n"
            . "http { access_log off; include $directory/site/roster-upstream.conf; "
            . "server { listen unix:$directory/own.sock; include $directory/site/roster-locations.conf; } }\n");
    $output = qx{$nginx -t -c $directory/site/own.conf 2>&1};
    is $?, 0, 'nginx -t of the snippet' or diag $output;
    ($status, $text) = $roster->rosterctl('nginx', 'check', '--directory', "$directory/site");
    is $status, 0, 'rosterctl nginx check has nothing to say' or diag $text;
};

my $site = Roster::Process->start(
    'nginx',
    [$nginx, '-c', "$directory/site/whole.conf", '-g', 'daemon off;'],
    log => "$directory/log/site.log");
END { $site->stop if $site }
wait_until(20, sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port{https}) })
    or BAIL_OUT('the site does not answer');

# curl's answer: {status, headers, body, version}.
sub curl ($url, @options) {
    open my $out, '-|', 'curl', '-sk', '-i', '-m', 30, '-w', '%{http_version}', @options, $url or die "curl: $!\n";
    binmode $out;
    local $/ = undef;
    my $text = readline($out);
    close $out;
    return undef if $?;
    my ($head, $body) = $text =~ /^(.*?\r\n)\r\n(.*)$/s or die "no answer: $text\n";
    my @headers = map { /^([^:]+): ?(.*)$/ ? [lc $1, $2] : () } split /\r\n/, $head;
    my %headers =
        (map({ @$_ } @headers), 'set-cookie' => join ', ', map { $_->[0] eq 'set-cookie' ? $_->[1] : () } @headers);
    my ($status) = $head =~ /^HTTP\/\S+ (\d+)/;
    my $version = $body =~ s/([\d.]+)\z// ? $1 : '';
    return {status => $status, headers => \%headers, body => $body, version => $version};
}

Roster::Database::write_file("$directory/large", 'x' x 5_000_000);
my @token = ('-H', "Authorization: Bearer $admin->{token}");

subtest 'http leads to https' => sub {
    my $answer = curl("http://127.0.0.1:$port{http}/users/a?b=c%20d", '-X', 'POST');
    is $answer->{status}, 308, '308, so that the method stays';
    is $answer->{headers}{location}, 'https://users.example.org/users/a?b=c%20d', 'to the same address';
    is $answer->{headers}{server}, 'nginx', 'without the version of nginx';
    for my $host ('evil.example', 'users.example.org.evil.example:8080', 'evil.example/x?') {
        my $elsewhere = curl("http://127.0.0.1:$port{http}/users/", '-H', "Host: $host");
        unlike join("\n", %{$elsewhere->{headers}}, $elsewhere->{body}), qr/evil/, "nobody is led to $host";
        is $elsewhere->{headers}{location}, 'https://users.example.org/users/', 'but to the site'
            if $elsewhere->{status} != 400;
    }
    $answer = curl("http://127.0.0.1:$port{http}/users/", '-0', '-H', 'Host:');
    is $answer->{headers}{location}, 'https://users.example.org/users/', 'also who names no host';
};

subtest 'HTTP/2 and HTTP/1.1' => sub {
    for my $case (['--http2', '2'], ['--http1.1', '1.1']) {
        my $answer = curl("$site_url/users/$user->{id}", $case->[0], @token);
        is $answer->{status}, 200, "$case->[0]: an answer";
        is $answer->{version}, $case->[1], 'in this version';
        is JSON::PP::decode_json($answer->{body})->{name}, $user->{name}, 'with what was asked for';
        $answer = curl("$site_url/auths/signin", $case->[0], '--json',
            JSON::PP::encode_json({email => $user->{email}, password => $user->{password}}));
        is $answer->{status}, 200, 'a sign-in';
        like $answer->{headers}{'set-cookie'}, qr/^token=[^;]+; .*HttpOnly; SameSite=lax; Secure/,
            'whose cookie is for https only';
        $roster->secret($1) if $answer->{body} =~ /"token":"([^"]+)"/;
        $answer = curl("$site_url/nothing", $case->[0]);
        is $answer->{status}, 404, 'an error';
        $answer = curl("$site_url/users/", $case->[0], '--data-binary', "\@$directory/large");
        is $answer && JSON::PP::decode_json($answer->{body})->{code}, 'CONTENT_TOO_LARGE', 'a body that is too large';
    }
};

# Mozilla's intermediate profile: TLS 1.2 and 1.3, forward secrecy, no CBC.
subtest 'TLS' => sub {
    my $speak = sub (@options) {
        local $ENV{OPENSSL_CONF} = '/dev/null';
        return qx{openssl s_client -connect 127.0.0.1:$port{https} @options </dev/null 2>&1};
    };
    for my $version (qw(tls1 tls1_1)) {
        my $text = $speak->("-$version", '-cipher ALL:\@SECLEVEL=0');
        like $text, qr/alert protocol version/, "$version is refused by the server";
    }
    like $speak->('-tls1_3'), qr/^New, TLSv1\.3, Cipher is TLS_AES_/m, 'TLS 1.3';
    for my $cipher (qw(ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305)) {
        my $text = $speak->('-tls1_2', "-cipher $cipher");
        like $text, qr/^New, TLSv1\.2, Cipher is $cipher$/m, "TLS 1.2 with $cipher";
        unlike $text, qr/TLS session ticket:/, 'without session tickets';
    }
    for my $cipher ('ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA384', 'ECDHE-ECDSA-AES128-CCM',
        'aNULL:\@SECLEVEL=0')
    {
        like $speak->('-tls1_2', "-cipher $cipher"), qr/alert handshake failure/, "$cipher is refused";
    }
    like $speak->('-alpn h2,http/1.1'), qr/^ALPN protocol: h2$/m, 'HTTP/2 is offered';
};

my %security = (
    'x-content-type-options' => 'nosniff',
    'x-frame-options' => 'DENY',
    'content-security-policy' => "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
    'referrer-policy' => 'same-origin',
    'strict-transport-security' => 'max-age=63072000',
    server => 'nginx');
subtest 'header fields of every answer' => sub {
    for my $case (
        ["/users/$user->{id}", 200, @token],
        ['/users/', 401],
        ['/nothing', 404],
        ['/user.png', 200],
        ["/users/$user->{id}/profile/image", 200, @token],
        ['/ping', 200],
        ['/auths/signin', 422, '--json', '{}'],
        ['/auths/signin', 413, '--data-binary', "\@$directory/large"],
        ['/users/%00', 400],
        ['/openapi.json', 200],
        ['/pictures/' . 'ab' x 32 . '.png', 404],
        ['/users/', 204, '-X', 'OPTIONS'],
        ['/user.png', 405, '-X', 'POST', '-d', ''],
        ['/user.png', 416, '-r', '99999-'])
    {
        my ($path, $status, @options) = @$case;
        my $answer = curl("$site_url$path", @options) // {headers => {}, status => 'none'};
        my %got = map { ($_ => $answer->{headers}{$_}) } keys %security;
        is $answer->{status}, $status, "$path: $status";
        is_deeply \%got, \%security, 'each is there, once';
        like $answer->{headers}{'x-request-id'} // '', qr/^[0-9a-f]{32}$/, 'with the id of the request';
    }
};

subtest 'limits at the edge' => sub {
    my $url = "$site_url/user.png?[1-600]";
    my %count;
    $count{$_}++
        for split /\n/, qx(curl -sk --http2 -Z --parallel-max 50 -o /dev/null -w '%{http_code}\\n' '$url' 2>/dev/null);
    is join(' ', sort keys %count), '200 429', 'one address may have a burst, and then no more' or diag explain \%count;
    cmp_ok $count{200} // 0, '>=', 300, 'the burst is what the file says';
    my $answer = curl("$site_url/user.png");
    for (1 .. 20) { last if $answer->{status} == 429; $answer = curl("$site_url/user.png") }
    Time::HiRes::sleep(1.5);
    is curl("$site_url/user.png")->{status}, 200, 'a moment later it may again';
    like Roster::Database::slurp("$directory/log/site-error.log"), qr/limiting requests/, "nginx's log says it";
};
is $site->stop('QUIT'), 0, 'the site ends';

# ---- HEAD and ranges ----

my $bytes = png(width => 10, more => join '', map { chr($_ % 256) } 1 .. 5000);

sub new_picture () {
    state $count = 0;
    my $own = $bytes . ++$count;
    my $answer = $roster->update_user($admin, $user, {profile_image_url => data_uri($own)});
    is $answer->{status}, 200, 'a new picture';
    return (picture_address($own), $own);
}

subtest 'HEAD' => sub {
    my ($picture) = new_picture();
    for my $path ("/users/$user->{id}", '/users/', '/openapi.json', $picture, $picture, '/user.png', '/nothing',
        '/ping')
    {
        my $head = $roster->ask(HEAD => $path, $admin);
        my $get = $roster->get($path, $admin);
        is $head->{status}, $get->{status}, "HEAD $path: $get->{status}";
        is $head->{body}, '', 'no body';
        # Of a picture that nginx does not keep yet, the first answer comes from a worker, and the next from a file.
        my @names = grep {
                   !/^(?:x-request-id|date|connection)$/
                && !($path eq $picture && /^(?:etag|last-modified|accept-ranges|content-length)$/)
        } sort keys %{$get->{headers}};
        is_deeply {
            map { ($_ => $head->{headers}{$_}) } @names
        }, {map { ($_ => $get->{headers}{$_}) } @names}, 'the header fields of GET';
    }
    my $image = $roster->ask(HEAD => "/users/$admin->{id}/profile/image", $admin);
    is_deeply [@{$image}{qw(status body)}, $image->{headers}{'content-length'}], [200, '', length $default],
        'HEAD of the default picture';
    is length $roster->get($picture, $admin)->{body}, length($bytes) + 1, 'a HEAD that came first has not been kept';
};

subtest 'ranges' => sub {
    my ($picture, $own) = new_picture();
    my $first = $roster->get($picture, $admin, headers => [Range => 'bytes=10-19']);
    ok $first->{status} == 200 && $first->{body} eq $own
        || $first->{status} == 206 && $first->{body} eq substr($own, 10, 10),
        'of a picture that is not kept yet: all or the part';
    is $roster->get($picture, $admin)->{body}, $own, 'the whole was kept, not the part';
    for my $case ([$picture, $own], ['/user.png', $default], ["/users/$admin->{id}/profile/image", $default]) {
        my ($path, $whole) = @$case;
        my $length = length $whole;
        my $ask = sub ($range, @more) { $roster->get($path, $admin, headers => [Range => $range, @more]) };
        my $answer = $ask->('bytes=10-19');
        is_deeply [@{$answer}{qw(status body)}, $answer->{headers}{'content-range'}],
            [206, substr($whole, 10, 10), "bytes 10-19/$length"], "$path: a part";
        is $ask->('bytes=-5')->{body}, substr($whole, -5), 'the last bytes';
        is $ask->('bytes=' . ($length - 3) . '-')->{body}, substr($whole, -3), 'from there to the end';
        is $ask->("bytes=0-$length")->{status}, 206, 'more than there is';
        my $parts = $ask->('bytes=0-1,5-6');
        is $parts->{status}, 206, 'two parts';
        like $parts->{headers}{'content-type'}, qr{^multipart/byteranges}, 'in one answer';
        is_problem $ask->("bytes=$length-"), 416, 'RANGE_NOT_SATISFIABLE', 'beyond the end';
        is $ask->('lines=1-2')->{body}, $whole, 'another unit: all of it';
        my $etag = $roster->get($path, $admin)->{headers}{etag};
        is $ask->('bytes=1-2', 'If-Range', $etag)->{status}, 206, 'the same version still: a part';
        is $ask->('bytes=1-2', 'If-Range', '"other"')->{body}, $whole, 'another one: all of it';
        is $roster->get($path, $admin, headers => ['If-None-Match', $etag])->{status}, 304, 'nothing new';
    }
    unlike $roster->log_text('roster-access'), qr/ route=user_picture status=499 /,
        'nginx hangs up when it has been sent to a file, and no worker takes that for a client who left';
    my $list = $roster->get('/users/', $admin, headers => [Range => 'bytes=1-2']);
    is_deeply [$list->{status}, $list->{json}{total}], [200, 2], 'JSON has no ranges';
};

# ---- Bodies ----

subtest 'bodies up to the limit' => sub {
    my $limit = 4 * 1024 * 1024;
    my $json = sub ($length) { '{"a":"' . 'x' x ($length - 8) . '"}' };
    my $post = sub ($body, @more) {
        $roster->ask(
            POST => '/users/user/info/update',
            $user,
            body => $body,
            headers => ['Content-Type', 'application/json'],
            @more);
    };
    # What else is wrong with it a worker says: it has come through.
    my $answer = $post->($json->($limit));
    isnt $answer->{status}, 413, 'one of exactly the limit comes through';
    is_problem $post->($json->($limit + 1)), 413, 'CONTENT_TOO_LARGE', 'a byte more does not';
    isnt $post->($json->($limit - 8), chunked => 65536)->{status}, 413,
        'nor does it matter whether the length is known';
    is_problem $post->($json->($limit + 70_000), chunked => 65536), 413, 'CONTENT_TOO_LARGE', 'before';
    is $post->($json->(300_000))->{status}, 200, 'one that nginx puts into a file';
    is length $roster->get('/users/user/info', $user)->{json}{a}, 299_992, 'arrives whole';
    $post->('{"a":null}');
    my $logged = () = $roster->log_text('roster-access') =~ /status=413/g;
    is $logged, 0, "none of those that were too large was a worker's business";
};

subtest 'a slow body holds no worker' => sub {
    my @slow = map {
        my $socket = $roster->open_connection;
        syswrite $socket,
            "POST /auths/signin HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
        $socket;
    } 1 .. 30;
    Time::HiRes::sleep(0.2);
    my $status = $roster->status;
    is $status->{pools}{password}{busy} + $status->{pools}{password}{waiting}, 0,
        'thirty are sent, and no worker knows of them';
    is $roster->sign_in($user)->{status}, 200, 'somebody else signs in';
    close $_ for @slow;
};

# ---- Clients that leave ----

subtest 'a client that leaves' => sub {
    my @workers = $roster->workers;
    my $sql = Roster::Database->connect($roster->socket_path('mariadb'));
    for my $reset (0, 1) {
        my $before = () = $roster->log_text('roster-access') =~ / route=user_get status=499 /g;
        my $left = sub {
            return scalar(() = $roster->log_text('nginx-access') =~ /"GET \/users\/$user->{id} HTTP\/1\.1" 499 /g);
        };
        my $left_before = $left->();
        $sql->run('LOCK TABLES `user` WRITE');
        my $socket = $roster->open_connection;
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $reset;
        syswrite $socket, Roster::Http::compose(GET => "/users/$user->{id}", token => $user->{token});
        ok wait_until(10, sub { $roster->status->{pools}{api}{busy} == 1 }), 'a request that waits for MariaDB';
        close $socket;
        ok wait_until(10, sub { $left->() > $left_before }), 'nginx has seen that the client left';
        $sql->run('UNLOCK TABLES');
        ok wait_until(
            10, sub { (() = $roster->log_text('roster-access') =~ / route=user_get status=499 /g) > $before }
            ),
            'so has the worker, when it wanted to answer';
        my ($id) = $roster->log_text('nginx-access') =~ /.* 499 .* ([0-9a-f]{32}) "/s;
        like $roster->log_text('roster-access'), qr/ request=$id .* status=499 /, 'under the same id';
    }
    is $roster->get("/users/$user->{id}", $user)->{status}, 200, 'the next is served' for 1 .. 4;
    is_deeply [$roster->workers], \@workers, 'by the same workers';
    ok $roster->status->{routes}{user_get}{statuses}{499} >= 2, 'the status counts them';
    unlike $roster->log_text, qr/\[(?:error|alert)\]/, 'which is no error';

    # What such a client has asked for is done all the same.
    $sql->run('LOCK TABLES `user` WRITE');
    my $socket = $roster->open_connection;
    syswrite $socket,
        Roster::Http::compose(
        POST => '/users/user/info/update',
        token => $user->{token},
        json => {left => JSON::PP::true()});
    wait_until(10, sub { $roster->status->{pools}{api}{busy} == 1 });
    close $socket;
    Time::HiRes::sleep(0.1);
    $sql->run('UNLOCK TABLES');
    ok wait_until(
        10,
        sub {
            $roster->get("/users/$user->{id}", $admin)->{status} == 200
                && $roster->sql('SELECT JSON_VALUE(info, \'$.left\') FROM user WHERE id = ?', $user->{id});
        }
        ),
        'a change is made';
};

# ---- Compression ----

subtest 'compression' => sub {
    $roster->add_user(bio => 'word ' x 50) for 1 .. 20;
    my $plain = $roster->get('/users/', $admin);
    my $answer = $roster->get('/users/', $admin, headers => ['Accept-Encoding', 'gzip, br']);
    is $plain->{headers}{'content-encoding'}, undef, 'not for those who do not ask';
    is $answer->{headers}{'content-encoding'}, 'gzip', 'a long answer in JSON';
    is $answer->{headers}{vary}, 'Accept-Encoding', 'and caches are told';
    is Compress::Zlib::memGunzip($answer->{body}), $plain->{body}, 'the same inside';
    cmp_ok length $answer->{body}, '<', length($plain->{body}) / 3, 'much shorter';
    is $roster->get('/ping', $admin, headers => ['Accept-Encoding', 'gzip'])->{headers}{'content-encoding'}, undef,
        'a short one is not worth it';
    is $roster->get('/user.png', $admin, headers => ['Accept-Encoding', 'gzip'])->{headers}{'content-encoding'}, undef,
        'a picture is compressed already';
    my $sign_in = $roster->sign_in($user, headers => ['Accept-Encoding', 'gzip']);
    is_deeply [$sign_in->{status}, $sign_in->{headers}{'content-encoding'}], [200, undef],
        'nor an answer with a token beside what the client sent (BREACH)';
    my $openapi = $roster->request(GET => '/openapi.json', headers => ['Accept-Encoding', 'gzip']);
    is $openapi->{headers}{'content-encoding'}, 'gzip', 'the description of the interface';
};

done_testing;
