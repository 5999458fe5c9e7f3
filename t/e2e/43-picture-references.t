# Pictures as references: who refers to one keeps it, whatever others do; only an address that exists is taken; what
# leads to one's own picture means `as it is'.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Pictures;

my $roster = Roster->new(
    config => {rate_limits => 'no', last_active_interval => '1d', public_url => 'https://users.example.org'},
    api => {workers => 4},
    password => {workers => 2});
my $now = time;
my $admin = $roster->add_user(role => 'admin', last_active_at => $now, created_at => 1);

my $count = 0;

sub gif () { return 'GIF89a' . pack('vvC3', 5, 5, 0, 0, 0) . ';' . ++$count }
sub kept ($bytes) { return scalar $roster->sql('SELECT COUNT(*) FROM picture WHERE hash = ?', picture_hash($bytes)) }

sub row ($user, $column = 'profile_image_url') {
    return scalar $roster->sql("SELECT $column FROM user WHERE id = ?", $user->{id});
}

sub picture ($user, %options) {
    return $roster->get("/users/$user->{id}/profile/image", $admin, %options);
}
sub person () { return $roster->add_user(last_active_at => $now) }

# As the user, and as an administrator.
sub set ($user, $url, %options) {
    return $roster->post('/auths/update/profile', $user, {name => $user->{name}, profile_image_url => $url}, %options);
}

subtest 'nobody destroys the picture of somebody else' => sub {
    my ($ada, $bob) = (person, person);
    my $bytes = png;
    is set($ada, data_uri($bytes))->{json}{profile_image_url}, picture_address($bytes), 'Ada has a picture';
    my $hash = picture_hash($bytes);
    for my $url (
        "/pictures/$hash.gif", "/pictures/$hash.jpeg",
        "/pictures/$hash.webp", "/pictures/$hash.png?x",
        "/pictures/$hash.png#x", "/pictures/$hash.PNG",
        "/pictures/" . uc($hash) . '.png', "//roster.example.org/pictures/$hash.png",
        "/api/v1/pictures/$hash.png", "/pictures/../pictures/$hash.png",
        "/x/../pictures/$hash.png", "//pictures/$hash.png",
        "/./pictures/$hash.png", "/%70ictures/$hash.png",
        "/pictures%2f$hash.png", "pictures/$hash.png",
        "/pictures/$hash", "/pictures/$hash.",
        '/pictures/' . '0' x 64 . '.png', '/pictures/',
        '/pictures', '/pictures/x.png',
        "https://users.example.org/pictures/$hash.gif", "http://roster.example.org/pictures/$hash.png?x")
    {
        is_problem set($bob, $url), 400, 'INVALID_IMAGE', "Bob can't have $url";
        is_problem $roster->update_user($admin, $bob, {profile_image_url => $url}), 400, 'INVALID_IMAGE',
            'nor be given it';
    }
    for my $url ("/pictures/$hash.gif", "https://users.example.org/pictures/$hash.gif")
    {    # as rows had it that were made before, or by hand
        $roster->set_columns($bob, profile_image_url => $url);
        is set($bob, '/user.png')->{status}, 200, "Bob gives up $url";
        is kept($bytes), 1, 'and Ada keeps hers';
    }
    for my $url (
        picture_address($bytes),
        'https://users.example.org' . picture_address($bytes),
        'HTTPS://Users.Example.ORG' . picture_address($bytes),
        'http://roster.example.org' . picture_address($bytes))
    {
        is set($bob, $url)->{json}{profile_image_url}, picture_address($bytes), "$url is Ada's";
        is picture($bob)->{body}, $bytes, 'and Bob may have it, too';
        is set($bob, '/user.png')->{status}, 200, 'and give it up';
        is kept($bytes), 1, 'Ada keeps hers';
    }
    set($bob, picture_address($bytes));
    is $roster->ask(DELETE => "/users/$bob->{id}", $admin)->{json}, JSON::PP::true, 'Bob goes';
    is picture($ada)->{body}, $bytes, 'Ada keeps hers';

    my $eve = person;
    $roster->set_columns($eve, profile_banner_image_url => picture_address($bytes));
    set($ada, '/user.png');
    is kept($bytes), 1, 'a banner is a reference, too';
    is $roster->ask(DELETE => "/users/$eve->{id}", $admin)->{json}, JSON::PP::true, 'who has it goes';
    is kept($bytes), 0, 'and the picture with the last who has it';
    $roster->sql(
        'INSERT INTO picture (hash, type, width, height, size, bytes, created_at) VALUES (?, ?, 1, 1, 1, ?, 1)',
        picture_hash($_), 'png', $_)
        for my ($one, $two, $three) = (png, png, png);
    $roster->set_columns(person, profile_image_url => picture_address($one));
    $roster->set_columns(person, profile_banner_image_url => picture_address($two));
    $roster->set_columns(person, profile_image_url => picture_address($three) =~ s/png$/gif/r);
    my ($status, $out) = $roster->rosterctl('pictures', 'clean', '--store', "$roster->{directory}/pictures");
    is $status, 0, 'rosterctl pictures clean' or diag $out;
    is_deeply [map { kept($_) } $one, $two, $three], [1, 1, 0], 'keeps what somebody refers to, with its type';
    is_problem $roster->post(
        $_, $admin,
        {
            name => 'N',
            email => 'n@example.org',
            password => 'a fine new password',
            profile_image_url => picture_address(png)
        }
        ),
        400, 'INVALID_IMAGE', "a new account can't have a picture that there is not: $_"
        for '/auths/add';
    is $roster->post(
        '/auths/add',
        $admin,
        {
            name => 'N',
            email => 'n@example.org',
            password => 'a fine new password',
            profile_image_url => picture_address($one)
        }
        )->{status}, 200,
        'one that there is it can';
};

subtest 'a picture that is taken and given up at once' => sub {
    my @people = map { person } 1 .. 6;
    my ($one, $two) = (png(more => 'y' x 1000), png(more => 'z' x 1000));
    my @lost;
    for my $round (1 .. 8) {
        set($people[0], data_uri($one));
        set($people[1], data_uri($two));
        my $turns = sub ($n) {
            for my $turn (1 .. 6) {
                my $bytes = ($n + $turn) % 2 ? $one : $two;
                my $other = $turn % 2 ? '/user.png' : picture_address($bytes);
                set($people[$n], ($n + $turn) % 3 ? data_uri($bytes) : $other);
            }
        };
        at_once(
            map {
                my $n = $_;
                sub { $turns->($n) }
            } 0 .. $#people);
        for my $person (@people) {
            my $address = row($person);
            push @lost, "$round: $address"
                if $address =~ m{^/pictures/(\w+)} && !$roster->sql('SELECT COUNT(*) FROM picture WHERE hash = ?', $1);
        }
    }
    is_deeply \@lost, [], 'nobody refers to what is gone';
    set($_, '/user.png') for @people;
    is_deeply [kept($one), kept($two)], [0, 0], 'and nothing stays that nobody refers to';
};

# The two orders that matter, one step at a time.
subtest 'whoever comes second waits' => sub {
    my ($ada, $bob) = (person, person);
    my $bytes = png;
    set($ada, data_uri($bytes));
    my $beside = Roster::Database->connect($roster->socket_path('mariadb'));
    $beside->run('USE roster');
    $beside->run('START TRANSACTION');
    $beside->run('SELECT type FROM picture WHERE hash = ? LOCK IN SHARE MODE', picture_hash($bytes));
    $beside->run('UPDATE user SET profile_image_url = ? WHERE id = ?', picture_address($bytes), $bob->{id});
    my $result = in_background(sub { in_short(set($ada, '/user.png')) });
    ok $roster->wait_statement('^SELECT hash FROM picture.*FOR UPDATE$'), 'the removal waits for the reference';
    $beside->run('COMMIT');
    $beside->disconnect;
    is $result->(), '200', 'and goes on';
    is row($ada), '/user.png', 'Ada has given it up';
    is picture($bob)->{body}, $bytes, 'Bob has it';

    $beside = Roster::Database->connect($roster->socket_path('mariadb'));
    $beside->run('USE roster');
    $beside->run('START TRANSACTION');
    $beside->run('SELECT hash FROM picture WHERE hash = ? FOR UPDATE', picture_hash($bytes));
    $result = in_background(sub { in_short(set($ada, picture_address($bytes))) });
    ok $roster->wait_statement('^SELECT type FROM picture'), 'a reference waits for the removal';
    $beside->run('DELETE FROM picture WHERE hash = ?', picture_hash($bytes));
    $beside->run('COMMIT');
    $beside->disconnect;
    is $result->(), '400 INVALID_IMAGE', 'and finds that it is gone';
};

subtest 'PROFILE/image of oneself means: as it is' => sub {
    my $user = person;
    my $path = "/users/$user->{id}/profile/image";
    my $bytes = png;
    for my $kept (picture_address($bytes), 'https://example.org/x.png', '/user.png', '', data_uri($bytes),
        'data:image/png;base64,broken')
    {
        set($user, data_uri($bytes));
        for my $url (
            $path, "/api/v1$path", "/api/v1$path/", "$path?initials=true", "/api/v1$path?v=12#x",
            "https://users.example.org/api/v1$path",
            "http://roster.example.org$path?x=1",
            substr($path, 1))
        {
            $roster->set_columns($user, profile_image_url => $kept);
            my $name = substr($kept, 0, 30) . ", $url";
            my $answer = set($user, $url);
            is $answer->{status}, 200, $name or diag $answer->{body};
            unlike $answer->{json}{profile_image_url}, qr/profile.image/, 'and the answer shows what there is';
            is row($user), $kept =~ /^data:image\/png;base64,iV/ ? picture_address($bytes) : $kept, 'the row stays';
            $roster->set_columns($user, profile_image_url => $kept);
            is $roster->update_user($admin, $user, {profile_image_url => $url})->{status}, 200,
                'by an administrator too';
            is row($user), $kept =~ /^data:image\/png;base64,iV/ ? picture_address($bytes) : $kept, 'the row stays';
        }
    }
    my $other = person;
    set($other, data_uri(png));
    for my $url (map { ("/api/v1$_", "https://users.example.org$_", "$_?x") } "/users/$other->{id}/profile/image") {
        is_problem set($user, $url), 400, 'INVALID_IMAGE', "that of somebody else is refused: $url";
        is_problem $roster->update_user($admin, $user, {profile_image_url => $url}), 400, 'INVALID_IMAGE',
            'by an administrator too';
    }
    is set($user, "https://elsewhere.example$path")->{json}{profile_image_url}, "https://elsewhere.example$path",
        'elsewhere it is an address like others';
    is_problem $roster->post('/auths/add', $admin,
        {name => 'N', email => 'n2@example.org', password => 'a fine new password', profile_image_url => $path}),
        400,
        'INVALID_IMAGE', 'a new account has none yet';
};

subtest 'limits, and what rows hold already' => sub {
    my $user = person;
    my $url = 'https://example.org/' . 'x' x (2048 - length 'https://example.org/');
    is set($user, $url)->{json}{profile_image_url}, $url, 'an address of 2,048 bytes';
    my @columns = qw(profile_image_url profile_banner_image_url);
    $roster->set_columns($user, map { ($_ => $url) } @columns);
    is_deeply [@{$roster->get("/users/$user->{id}", $admin)->{json}}{@columns}], [$url, $url], '... is shown as it is';
    $roster->set_columns($user, map { ($_ => "${url}x") } @columns);
    is_deeply [@{$roster->get("/users/$user->{id}", $admin)->{json}}{@columns}], ['/user.png', undef],
        'of one that is a byte longer in a row the default is shown, or no banner';
    $roster->set_columns($user, profile_banner_image_url => undef);
    is_problem set($user, "${url}x"), 400, 'INVALID_IMAGE', 'a byte more is refused';
    is_problem $roster->update_user($admin, $user, {profile_image_url => "${url}x"}), 400, 'INVALID_IMAGE',
        'by an administrator too';
    is_problem set($user, 'https://example.org/' . 'x' x 3_900_000), 400, 'INVALID_IMAGE', 'let alone 4 MB';
    $roster->set_columns($user, profile_image_url => 'https://example.org/' . 'x' x 4_000_000);
    my $answer = picture($user);
    is_deeply [$answer->{status}, $answer->{headers}{'content-type'}], [200, 'image/png'],
        'of an address of 4 MB in a row the default takes the place';
    is $roster->get("/users/$user->{id}", $admin)->{json}{profile_image_url}, '/user.png', 'and its address is shown';
    my $large = png(more => 'x' x 2_000_000);
    $roster->set_columns($user, profile_image_url => data_uri($large));
    my $moved = picture($user);
    ok $moved->{status} == 200 && $moved->{body} eq $large, 'a picture of 2 MB in a row goes out'
        or diag $moved->{status};
    is row($user), picture_address($large), 'and is brought over';
    $roster->set_columns($user, profile_banner_image_url => data_uri($large));
    is $roster->get("/users/$user->{id}", $admin)->{json}{profile_banner_image_url},
        picture_address($large), 'a banner is brought over, too';
    is row($user, 'profile_banner_image_url'), picture_address($large), 'in the row';

    # A table that takes no picture now.
    my $bytes = png;
    $roster->set_columns($user, profile_image_url => data_uri($bytes));
    $roster->sql(
        "CREATE TRIGGER refuse BEFORE INSERT ON picture FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'");
    my $list = $roster->get("/users/?query=$user->{email}", $admin);
    is $list->{status}, 200, 'where a picture can\'t be brought over, the list is a list';
    my $shown = $list->{json}{users}[0]{profile_image_url};
    is $shown, "/api/v1/users/$user->{id}/profile/image", 'with an address that is always good';
    is $roster->get($shown, $admin)->{body}, $bytes, 'which shows the picture';
    is picture($user, headers => ['If-None-Match' => '"' . picture_hash($bytes) . '"'])->{status}, 304,
        'or says that it is the same';
    is $roster->update_user($admin, $user, {profile_image_url => $shown})->{status}, 200, 'and can be sent back';
    is row($user), data_uri($bytes), 'without loss';
    $roster->sql('DROP TRIGGER refuse');
    is picture($user)->{body}, $bytes, 'when it can, it is';
    is row($user), picture_address($bytes), 'brought over';
};

subtest 'Location' => sub {
    my $user = person;
    my %sent = (
        "https://example.org/\x{fc}/\x{1F600}?q=\x{e4}#\x{f6}" =>
            'https://example.org/%C3%BC/%F0%9F%98%80?q=%C3%A4#%C3%B6',
        'https://example.org/a b"<>\\^`{|}' => 'https://example.org/a%20b%22%3C%3E%5C%5E%60%7B%7C%7D',
        'https://example.org/%20%zz%' => 'https://example.org/%20%25zz%25',
        "https://b\x{fc}cher.example/" => 'https://b%C3%BCcher.example/',
        'https://example.org/[1]/~a;b=c,d@e:f!$&\'()*+' => undef);
    for my $url (sort keys %sent) {
        my $answer = set($user, $url);
        is $answer->{json}{profile_image_url}, $url, 'an address is kept as it was sent' or diag $answer->{body};
        is picture($user)->{headers}{location}, $sent{$url} // $url, 'and goes out as RFC 3986 has it';
    }
};

subtest 'If-None-Match' => sub {
    my $user = person;
    my $bytes = png;
    set($user, data_uri($bytes));
    my $tag = '"' . picture_hash($bytes) . '"';
    my $there = picture_address($bytes);
    my $gone = '/pictures/' . '0' x 64 . '.png';
    my $file = sub ($path, $match) {
        return $roster->fastcgi('api', {REQUEST_URI => $path, REQUEST_METHOD => 'GET', HTTP_IF_NONE_MATCH => $match});
    };
    for my $match ($tag, "W/$tag", qq("x", $tag), qq("a,b" ,W/"y",W/$tag), '*', ' * ', qq(,, $tag)) {
        is $file->($there, $match)->{status}, 304, "$match: 304";
        my $answer = $file->($gone, $match =~ s/\Q$tag\E/'"' . '0' x 64 . '"'/er);
        is_deeply [$answer->{status}, $answer->{headers}{'cache-control'} // ''], [404, 'no-store'],
            'of what is not there 404';
    }
    for my $match (
        '"x' . substr($tag, 1),
        substr($tag, 1, -1),
        qq("x$tag), qq("a"b$tag), "x$tag", "w/$tag", 'W/', '"', '', '**', qq("\\"$tag))
    {
        is $file->($there, $match)->{status}, 200, "$match: 200";
    }
    is picture($user, headers => ['If-None-Match' => '*'])->{status}, 304, 'a user has a picture: 304';
    $roster->sql('DELETE FROM picture WHERE hash = ?', picture_hash($bytes));
    is picture($user, headers => ['If-None-Match' => $_])->{status}, 200, "its bytes are gone: the default, for $_"
        for $tag, "W/$tag";
};

done_testing;
