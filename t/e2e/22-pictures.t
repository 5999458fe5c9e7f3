# Pictures: how they come in, what stands for them in answers, and how they go out, from a worker and from nginx.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Pictures;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d'});
my $now = time;
my $admin = $roster->add_user(role => 'admin', name => 'Admin', last_active_at => $now);
my $default = Roster::Database::slurp("$roster->{source}/nginx/static/user.png");

sub picture ($user, %options) {
    return $roster->get("/users/$user->{id}/profile/image" . ($options{query} // ''), $admin, %options);
}

# How many requests for this path have reached a worker, as far as they are logged.
sub reached ($path) { return scalar(() = $roster->log_text('roster-access') =~ / path=\Q$path\E /g) }

# What each type starts with, as far as anybody looks.
my $count = 0;
sub more () { return 'more' . ++$count }
my %bytes = (
    png => sub ($width, $height) { png(width => $width, height => $height) },
    jpeg => sub ($width, $height) {
        "\xFF\xD8\xFF\xE0"
            . pack('n', 4) . 'xx'
            . "\xFF\xC0"
            . pack('nCnnC', 11, 8, $height, $width, 1)
            . "\1\x11\0\xFF\xD9"
            . more;
    },
    gif => sub ($width, $height) { 'GIF89a' . pack('vvC3', $width, $height, 0, 0, 0) . ';' . more },
    webp => sub ($width, $height) {
        'RIFF' . pack('V', 30) . 'WEBPVP8L' . pack('VCV', 5, 0x2F, ($width - 1) | ($height - 1) << 14) . more;
    });

sub is_default ($answer, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply [
        @{$answer}{qw(status body)},
        @{$answer->{headers}}{qw(content-type cache-control x-content-type-options x-accel-redirect)}
        ],
        [200, $default, 'image/png', 'private, no-cache', 'nosniff', undef], $name;
}

# ---- Data URIs ----

for my $type (qw(png jpeg gif webp)) {
    for my $way ('an update', 'a row') {
        # The declared type is another one.
        for my $declared ($type eq 'gif' ? 'image/png' : 'image/gif', 'image/svg+xml', 'IMAGE/x-anything;charset=utf-8')
        {
            my $bytes = $bytes{$type}->(20, 10);
            my $address = picture_address($bytes, $type);
            my $user = $roster->add_user(last_active_at => $now);
            my $name = "$type declared as $declared in $way";
            $roster->sql('UPDATE user SET updated_at = 1000 WHERE id = ?', $user->{id});
            if ($way eq 'a row') {
                $roster->set_columns($user, profile_image_url => data_uri($bytes, $declared));
            }
            else {
                my $answer = $roster->update_user($admin, $user, {profile_image_url => data_uri($bytes, $declared)});
                is $answer->{json}{profile_image_url}, $address, "$name: the answer has its address"
                    or diag $answer->{body};
            }
            my $answer = picture($user);
            is_deeply [
                @{$answer}{qw(status body)},
                @{$answer->{headers}}
                    {qw(content-type content-disposition cache-control x-content-type-options content-length)}
                ],
                [
                200, $bytes, "image/$type",
                "inline; filename=image.$type",
                'private, no-cache',
                'nosniff', length $bytes
                ],
                "$name: it goes out by its first bytes";
            my $tag = $answer->{headers}{etag} // '';
            like $tag, qr/^"[^"]+"$/, "$name: with ETag";
            is $roster->get("/users/$user->{id}", $admin)->{json}{profile_image_url}, $address,
                "$name: its address stands for it";
            is $roster->sql('SELECT profile_image_url FROM user WHERE id = ?', $user->{id}), $address,
                "$name: in the row, too";
            cmp_ok $roster->sql('SELECT updated_at FROM user WHERE id = ?', $user->{id}), $way eq 'a row' ? '==' : '>',
                1000,
                $way eq 'a row' ? "$name: which nobody has changed" : "$name: which was changed";
            next if $declared ne 'image/svg+xml';

            for my $match ($tag, "W/$tag", "\"x\", $tag", "\"x\",W/$tag , \"y\"", '*') {
                my $same = picture($user, headers => ['If-None-Match' => $match]);
                is_deeply [@{$same}{qw(status body)}, @{$same->{headers}}{qw(etag cache-control content-type)}],
                    [304, '', $tag, 'private, no-cache', undef], "If-None-Match: $match is 304";
            }
            is picture($user, headers => ['If-None-Match' => $_])->{status}, 200, "If-None-Match: $_ is 200"
                for '"x"', $tag =~ s/"//gr =~ s/^/"x/r . '"', '';
            my $head = $roster->ask(HEAD => "/users/$user->{id}/profile/image", $admin);
            is_deeply [@{$head}{qw(status body)}, @{$head->{headers}}{qw(content-type content-length etag)}],
                [200, '', "image/$type", length $bytes, $tag], 'HEAD';
            is $roster->request(GET => "/api/v1/users/$user->{id}/profile/image", cookie => $admin->{token})->{body},
                $bytes, 'with the cookie alone, as browsers ask for pictures';

            my $other = $bytes{$type}->(30, 30);
            $roster->update_user($admin, $user, {profile_image_url => data_uri($other)});
            my $changed = picture($user, headers => ['If-None-Match' => $tag]);
            is_deeply [@{$changed}{qw(status body)}], [200, $other], 'another picture is sent, whatever the client has';
            isnt $changed->{headers}{etag}, $tag, 'with another ETag';
            is $roster->sql('SELECT COUNT(*) FROM picture WHERE hash = ?', picture_hash($bytes)), 0,
                'and the old one is not kept';
        }
    }
}

{
    my @two = map { $roster->add_user(last_active_at => $now) } 1, 2;
    my $bytes = $bytes{png}->(5, 5);
    is $roster->update_user($admin, $_, {profile_image_url => data_uri($bytes)})->{json}{profile_image_url},
        picture_address($bytes, 'png'), 'two users have the same picture'
        for @two;
    is $roster->sql('SELECT COUNT(*) FROM picture WHERE hash = ?', picture_hash($bytes)), 1, 'which is kept once';
    is $roster->update_user($admin, $two[0], {profile_image_url => picture_address($bytes, 'png')})
        ->{json}{profile_image_url}, picture_address($bytes, 'png'),
        'a client that sends the address back';
    is picture($two[0])->{body}, $bytes, 'keeps the picture';
    $roster->update_user($admin, $two[0], {profile_image_url => '/user.png'});
    is_default picture($two[0]), 'who gives it up has it no more';
    is picture($two[1])->{body}, $bytes, 'and who does not, does';

    my $broken = MIME::Base64::encode_base64($bytes, "\r\n") =~ s/^(.{10})/$1 \t/r;
    is $roster->update_user($admin, $two[0], {profile_image_url => "data:image/png;base64,$broken"})
        ->{json}{profile_image_url}, picture_address($bytes, 'png'),
        'white space within base64 does not count';
    $roster->set_columns($two[0], profile_image_url => data_uri($bytes) =~ s/^data/DATA/r);
    is $roster->get("/users/$two[0]{id}", $admin)->{json}{profile_image_url}, picture_address($bytes, 'png'),
        'nor does the case of `data:` in a row';
    $roster->set_columns($two[0], profile_image_url => picture_address($bytes{png}->(1, 1), 'png'));
    is_default picture($two[0]), 'of a picture that there is not, the default takes the place';
}

# ---- What is no picture ----

my $png = $bytes{png}->(20, 10);
my $base64 = MIME::Base64::encode_base64($png, '');
my %broken = (
    'a stray character' => 'data:image/png;base64,' . $base64 =~ s/^(.{20})./$1!/r,
    'cut off' => 'data:image/png;base64,' . substr($base64, 0, 41),
    'nothing' => 'data:image/png;base64,',
    'no base64' => "data:image/png,$base64",
    'no comma' => "data:image/png;base64$base64",
    'padding inside' => "data:image/png;base64,====$base64",
    'text' => data_uri('Hello, I am text'),
    'no image' => data_uri($png, 'text/html'),
    'no type' => data_uri($png, ''),
    'SVG' => data_uri('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', 'image/svg+xml'),
    'HTML called PNG' => data_uri('<html><script>alert(1)</script></html>'),
    'BMP' => data_uri('BM' . "\0" x 60, 'image/bmp'),
    'a PNG signature alone' => data_uri(substr $png, 0, 8),
    'a PNG without a size' => data_uri($bytes{png}->(0, 10)),
    'url-safe base64' => 'data:image/png;base64,' . '_-' x 40,
    'data: alone' => 'data:');
for my $name (sort keys %broken) {
    my $user = $roster->add_user(last_active_at => $now);
    is_problem $roster->update_user($admin, $user, {profile_image_url => $broken{$name}}), 400, 'INVALID_IMAGE',
        "$name is refused in an update";
    is $roster->sql('SELECT profile_image_url FROM user WHERE id = ?', $user->{id}), '/user.png', 'and changes nothing';
    $roster->set_columns($user, profile_image_url => $broken{$name});
    is_default picture($user), "of $name in a row the default takes the place";
    is $roster->get("/users/$user->{id}", $admin)->{json}{profile_image_url}, '/user.png', 'whose address is shown';
    unlike $roster->get('/users/?query=' . $user->{email}, $admin)->{body}, qr/data:|base64/, 'in lists too';
    is $roster->update_user($admin, $user, {profile_image_url => '/user.png'})->{status}, 200,
        'the row can be sent back';
}
{
    my $user = $roster->add_user(last_active_at => $now);
    is $roster->update_user($admin, $user, {profile_image_url => data_uri($bytes{png}->(4096, 4096))})->{status}, 200,
        '4096 pixels are taken';
    is_problem $roster->update_user($admin, $user, {profile_image_url => data_uri($bytes{$_}->(4097, 1))}), 400,
        'INVALID_IMAGE', "a wide $_ is refused"
        for qw(png jpeg gif webp);
    is_problem $roster->update_user($admin, $user, {profile_image_url => data_uri($bytes{$_}->(1, 4097))}), 400,
        'INVALID_IMAGE', "a high $_ is refused"
        for qw(png jpeg gif webp);
    my $large = $bytes{png}->(9, 9);
    $large .= 'x' x (2 * 1024 * 1024 - length $large);
    is $roster->update_user($admin, $user, {profile_image_url => data_uri($large)})->{status}, 200, '2 MB are taken';
    is picture($user)->{body} eq $large ? 'the same' : 'not the same', 'the same', 'and go out whole';
    is_problem $roster->update_user($admin, $user, {profile_image_url => data_uri($large . 'x')}), 400,
        'INVALID_IMAGE', 'a byte more is refused';
    is picture($user)->{body} eq $large ? 'the same' : 'not the same', 'the same', 'and changes nothing';
}

# ---- Addresses, and none ----

{
    my $user = $roster->add_user(last_active_at => $now);
    for my $url ('https://example.org/x.png?a=b&c=%20d#e', 'http://127.0.0.1:1/', 'HTTPS://Example.org/X') {
        is $roster->update_user($admin, $user, {profile_image_url => $url})->{json}{profile_image_url}, $url,
            "$url is kept";
        my $answer = picture($user);
        is_deeply [@{$answer}{qw(status body)}, @{$answer->{headers}}{qw(location cache-control content-type)}],
            [302, '', $url, 'private, no-cache', undef], 'and sent as Location';
        is $roster->ask(HEAD => "/users/$user->{id}/profile/image", $admin)->{headers}{location}, $url, 'HEAD too';
    }
    $roster->set_columns($user, profile_image_url => "https://example.org/\r\nSet-Cookie: a=b");
    my $answer = picture($user);
    is_deeply $answer->{set_cookie}, [], 'line ends in a row make no header field';
    is_default $answer, 'since that is no address';
    for my $url ('/user.png', '', '/static/other.png', 'favicon', '/pictures/x.png', '/pictures/../user.png') {
        $roster->set_columns($user, profile_image_url => $url);
        is_default picture($user), "'$url' is the default picture";
    }
    $answer = picture($user);
    my $tag = $answer->{headers}{etag};
    ok $tag, 'the default picture has an ETag';
    my $same = picture($user, headers => ['If-None-Match' => $tag]);
    is_deeply [@{$same}{qw(status body)}, @{$same->{headers}}{qw(etag cache-control)}],
        [304, '', $tag, 'private, no-cache'], 'and 304';
    my $head = $roster->ask(HEAD => "/users/$user->{id}/profile/image", $admin);
    is_deeply [@{$head}{qw(status body)}, @{$head->{headers}}{qw(content-type content-length)}],
        [200, '', 'image/png', length $default], 'HEAD';
    my $direct = $roster->fastcgi('api',
        {REQUEST_URI => "/users/$user->{id}/profile/image", HTTP_AUTHORIZATION => "Bearer $admin->{token}"});
    is_deeply [@{$direct}{qw(status body)}, $direct->{headers}{'x-accel-redirect'}],
        [200, '', '/roster-static/user.png'], 'it is nginx that serves it';
    is_problem $roster->get('/users/nobody/profile/image', $admin), 400, 'USER_NOT_FOUND', 'nobody has none';
    is_problem $roster->get("/users/$user->{id}/profile/image"), 401, 'NOT_AUTHENTICATED',
        'and who is nobody sees none';
}

# ---- Initials ----

{
    my %initials = (
        'Ada Lovelace' => 'AL',
        'Prince' => 'P',
        '  Émile  van  Zola ' => 'ÉZ',
        '山田 太郎' => '山太',
        "<b> 'x" => "&lt;'",
        '& "' => '&amp;"',
        '' => '',
        "\x{1F600}" => "\x{1F600}",
        "Ada\x{a0}Lovelace\x{3000}" => 'AL',
        "\x{9b}2J\x{202e}x" => '2',
        "\x{200b}z \x{85}" => 'z');
    my $user = $roster->add_user(last_active_at => $now);
    for my $name (sort keys %initials) {
        $roster->sql('UPDATE user SET name = ? WHERE id = ?', $name, $user->{id});
        my $answer = picture($user, query => '?initials=true');
        is_deeply [$answer->{status}, @{$answer->{headers}}{qw(content-type cache-control x-content-type-options)}],
            [200, 'image/svg+xml', 'private, no-cache', 'nosniff'], "initials of '$name'";
        like $answer->{text}, qr{^<svg [^<>]*>(?:<rect [^<>]*/>)<text [^<>]*>\Q$initials{$name}\E</text></svg>\s*$},
            "are $initials{$name}";
        like $answer->{headers}{'content-security-policy'}, qr/default-src 'none'/, 'and run nothing';
    }
    $roster->sql(q{UPDATE user SET name = CONVERT(UNHEX('EFBFBF71') USING utf8mb4) WHERE id = ?}, $user->{id});
    like picture($user, query => '?initials=1')->{text}, qr{>q</text>}, 'U+FFFF, which XML refuses, is no initial';
    is picture($user, query => '?initials=1')->{body}, picture($user, query => '?initials=YES')->{body},
        'the same each time';
    is_default picture($user, query => "?initials=$_"), "initials=$_ is the default picture" for 'false', '0', 'off';
    for my $value ('maybe', '', '2') {
        my $answer = picture($user, query => "?initials=$value");
        is_problem $answer, 422, 'VALIDATION_ERROR', "initials=$value is refused";
        is_deeply [map { [@$_{qw(type loc)}] } @{$answer->{json}{detail}}], [['bool_parsing', ['query', 'initials']]],
            'as bool_parsing';
    }
    $roster->update_user($admin, $user, {profile_image_url => data_uri($png)});
    is picture($user, query => '?initials=true')->{body}, $png, 'who has a picture has no initials';
    $roster->set_columns($user, profile_image_url => 'https://example.org/x');
    is picture($user, query => '?initials=true')->{status}, 302, 'nor has who has an address';
}

# ---- Files that nginx keeps ----

for my $type (qw(png jpeg gif webp)) {
    my $bytes = $bytes{$type}->(16, 16) . 'x' x 20_000;
    my $path =
        $roster->update_user($admin, $roster->add_user(last_active_at => $now), {profile_image_url => data_uri($bytes)})
        ->{json}{profile_image_url};
    my $file = "$roster->{directory}/pictures$path";
    my @answers = $roster->request(($type eq 'gif' ? 'HEAD' : 'GET') => $path);
    wait_until(10, sub { -e $file });
    push @answers, map { $roster->get($path) } 1 .. 3;
    is_deeply [
        map { [@{$_}{qw(status)}, @{$_->{headers}}{qw(content-type cache-control x-content-type-options content-length)}
        ] } @answers
        ],
        [map { [200, "image/$type", 'public, max-age=31536000, immutable', 'nosniff', length $bytes] } @answers],
        "$path four times, without a token"
        or diag explain [map { $_->{headers} } @answers];
    is_deeply [map { length $_->{body} } @answers], [$type eq 'gif' ? 0 : length $bytes, (length $bytes) x 3],
        'the bytes';
    is $answers[-1]{body} eq $bytes && Roster::Database::slurp($file) eq $bytes ? 'kept' : 'not kept', 'kept',
        'are kept as they are';
    $roster->get('/users/user/info', $admin) for 1 .. 4;
    wait_until(10, sub { reached('/users/user/info') >= 4 && reached($path) });
    is reached($path), 1, 'one request reached a worker';
    my $tag = $answers[-1]{headers}{etag};
    is $roster->request(GET => $path, headers => ['If-None-Match' => $tag])->{status}, 304, 'its ETag gives 304';
    is_problem $roster->get("/api/v1$path"), 404, 'PATH_NOT_FOUND', 'under /api/v1 there are none';
    is_problem $roster->request(POST => $path, body => ''), 405, 'METHOD_NOT_ALLOWED', 'POST is not allowed';
    is_problem $roster->get($path =~ s/\w+$/$type eq 'png' ? 'gif' : 'png'/er), 404, 'NOT_FOUND',
        'another ending is another file';
    unlink $file;
    my $worker = $roster->fastcgi('api', {REQUEST_URI => $path});
    is_deeply [
        $worker->{status}, $worker->{body} eq $bytes ? 1 : 0,
        @{$worker->{headers}}{qw(content-type cache-control)}, $worker->{headers}{'content-disposition'}
        ],
        [200, 1, "image/$type", 'public, max-age=31536000, immutable', "inline; filename=image.$type"],
        'a worker says the same';
    $worker = $roster->fastcgi('api', {REQUEST_URI => $path, HTTP_IF_NONE_MATCH => $worker->{headers}{etag}});
    is $worker->{status}, 304, 'and knows its ETag';
    is $roster->get($path)->{body} eq $bytes ? 'the same' : 'another', 'the same',
        'what nginx has lost it fetches again';
}
is_problem $roster->get("/pictures/$_"), 404, $_ =~ m{/} ? 'PATH_NOT_FOUND' : 'NOT_FOUND', "/pictures/$_ is none"
    for 'x.png', ('0' x 64) . '.png', ('0' x 64) . '.svg', ('0' x 64), ('A' x 64) . '.png', ('0' x 63) . '.png',
    ('0' x 64) . '.png.png', ('0' x 64) . '.png/x', 'user.png';
is_deeply [glob "$roster->{directory}/pictures/pictures/" . '0' x 64 . '*'], [], 'what there is not is not kept';

# ---- Answers carry addresses ----

{
    my $bytes = $bytes{png}->(50, 50);
    my $user = $roster->add_user(last_active_at => $now, email => 'answers@example.org');
    my $again = sub { $roster->set_columns($user, profile_image_url => data_uri($bytes)) };
    my %ask = (
        'sign-in' => sub {
            $roster->sign_in($user)->{json};
        },
        'the session' => sub { $roster->get('/auths/', $user)->{json} },
        'the status' => sub { $roster->get('/users/user/status', $user)->{json} },
        'a status update' => sub {
            $roster->post('/users/user/status/update', $user, {status_emoji => 'x'})->{json};
        },
        'a list' => sub { $roster->get('/users/?query=answers', $admin)->{json}{users}[0] },
        'a change' => sub { $roster->update_user($admin, $user, {profile_image_url => data_uri($bytes)})->{json} },
        'a profile' => sub {
            $roster->post('/auths/update/profile', $user, {name => 'X', profile_image_url => data_uri($bytes)})->{json};
        });
    for my $name (sort keys %ask) {
        $again->();
        is $ask{$name}->()->{profile_image_url}, picture_address($bytes, 'png'), "$name has the address";
    }
    my $new = $roster->post(
        '/auths/add',
        $admin,
        {
            name => 'N',
            email => 'new@example.org',
            password => 'a fine new password',
            profile_image_url => data_uri($bytes)
        });
    is $new->{json}{profile_image_url}, picture_address($bytes, 'png'), 'a new account too' or diag $new->{body};

    $again->();
    my @same =
        at_once((sub { my $answer = picture($user); $answer->{status} == 200 && $answer->{body} eq $bytes }) x 6);
    is scalar(grep { $_->[0] } @same), 6, 'six who are the first to see it all do';
}

# ---- Lists carry no bytes ----

{
    my @pictures = map { $bytes{png}->(100, 100) . Roster::random_bytes(35_000) } 1 .. 30;
    my @users = map {
        $roster->add_user(
            last_active_at => $now,
            email => sprintf('many%02d@example.org', $_),
            name => "Many $_",
            created_at => $now,
            updated_at => $now)
    } 1 .. 30;
    $roster->set_columns($users[$_], profile_image_url => data_uri($pictures[$_])) for 0 .. 29;
    my @lists = map { $roster->get('/users/?query=many&order_by=email&direction=asc', $admin) } 1 .. 6;
    for my $list (@lists[0, 5]) {
        is $list->{json}{total}, 30, '30 users with a picture of 35 KB each';
        cmp_ok length $list->{body}, '<', 20_000, 'are under 20 KB';
        is_deeply [map { $_->{profile_image_url} } @{$list->{json}{users}}],
            [map { picture_address($_, 'png') } @pictures],
            'with the addresses of their pictures';
    }
    my ($least) = sort { $a <=> $b } map { $roster->access_line($_)->{statements} } @lists[1 .. 5];
    cmp_ok $least, '<=', 3, 'and take at most 3 statements';
    is picture($users[7])->{body} eq $pictures[7] ? 'its own' : 'another', 'its own', 'each has its own';
    my $path = picture_address($pictures[3], 'png');
    is $roster->get($path)->{body} eq $pictures[3] ? 'its own' : 'another', 'its own', 'also under its address';
    wait_until(10, sub { -e "$roster->{directory}/pictures$path" });
    $roster->stop('roster');
    is $roster->get($path)->{body} eq $pictures[3] ? 'its own' : 'another', 'its own', 'even without any worker';
    $roster->start('roster');
}

done_testing;
