# Lists never fail for what rows hold, nor for how many there are: they go out as they are read, in memory that does not
# grow; half a list never looks like a whole one.
use v5.36;
use utf8;

use Test::More;
use Time::HiRes ();
use Roster;
use Roster::Pictures;

my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d'});
my $now = time;
my $admin = $roster->add_user(role => 'admin', name => 'Admin', last_active_at => $now, created_at => 1);

# Read to its end, and looked at once: answers are of many megabytes.
sub fetch ($method, $path, $token = $admin->{token}) {
    my $socket = $roster->open_connection;
    syswrite $socket,
        "$method $path HTTP/1.1\r\nHost: roster.example.org\r\nConnection: close\r\n"
        . "Authorization: Bearer $token\r\n\r\n";
    my $text = '';
    while (sysread $socket, $text, 1 << 20, length $text) { }
    close $socket;
    return Roster::Http::parse(\$text, 1, $method)
        // {status => "broken off after @{[length $text]} bytes", headers => {}, body => $text};
}

# What the workers have taken at most, in KB; from now on, where `reset` is true.
sub peak ($reset = 0) {
    my $most = 0;
    for my $pid ($roster->workers) {
        my ($kilobytes) = eval { Roster::Database::slurp("/proc/$pid/status") } =~ /^VmHWM:\s+(\d+)/m or next;
        $most = $kilobytes if $kilobytes > $most;
        eval { Roster::Database::write_file("/proc/$pid/clear_refs", '5') } if $reset;
    }
    return $most;
}

# An answer that has begun and goes on, and its end.
sub begin ($path) {
    my $socket = $roster->open_connection;
    syswrite $socket,
        "GET $path HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer $admin->{token}\r\n\r\n";
    sysread $socket, my $text, 1000;
    return {socket => $socket, text => $text};
}

# Runs $code while nothing goes out.
sub without_nginx ($code) { return Roster::held_back([$roster->process('nginx')->children], $code) }

sub finish ($begun) {
    while (sysread $begun->{socket}, $begun->{text}, 1 << 20, length $begun->{text}) { }
    close $begun->{socket};
    return $begun->{text};
}

my $is_slow = $ENV{ROSTER_TEST_VALGRIND} || `ldd $Roster::build/roster` =~ /libasan/;

local $Roster::Http::decodes = 0;

# Thirty people with everything at its largest, and thirty whose rows were moved over with more than that.
my @people = map { $roster->add_user(name => 'P' x 255, last_active_at => $now, created_at => 1000 + $_) } 1 .. 60;
my $page = sub ($number) { return fetch(GET => "/users/?order_by=created_at&direction=asc&page=$number") };

subtest 'thirty people with everything at its largest' => sub {
    my $document = sub ($n) { return '{"ui":{},"n":' . $n . ',"x":"' . 'x' x (256 * 1024 - 40) . '"}' };
    for my $n (0 .. 29) {
        $roster->sql(
            'UPDATE user SET info = ?, settings = ?, bio = ?, status_message = ?, profile_image_url = ? WHERE id = ?',
            $document->($n),
            $document->($n + 100),
            "\x{1F600}" x 16_000,
            "\x{1F600}" x 16_000,
            'https://example.org/' . 'x' x 2000,
            $people[$n]{id});
    }
    peak(1);
    my $answer = $page->(1);
    is $answer->{status}, 200, 'they list' or diag substr $answer->{body}, 0, 200;
    is scalar(() = $answer->{body} =~ /"group_ids":\[\]/g), 30, 'all thirty of the page';
    is_deeply [$answer->{body} =~ /"info":\{"ui":\{\},"n":(\d+),/g], [0 .. 28], 'with their own info';
    is_deeply [$answer->{body} =~ /"settings":\{"ui":\{\},"n":(\d+),/g], [100 .. 128], 'and settings';
    is_deeply [map { length } $answer->{body} =~ /"x":"(x+)"\}/g], [(256 * 1024 - 40) x 58], 'whole';
    is_deeply [map { length } $answer->{body} =~ /"bio":"([^"]+)"/g], [(64_000) x 29], 'and all the rest';
    like $answer->{body}, qr/\],"total":61\}$/, 'to the end';
    cmp_ok length $answer->{body}, '>', 15_000_000, 'that is over 15 MB';
    cmp_ok peak, '<', 64 * 1024, 'of which no worker holds more than a little' if !$is_slow;
    is fetch(GET => '/users/search?query=PPP')->{status}, 200, 'the search lists them, too';
    like fetch(GET => "/users/$people[0]{id}")->{body},
        qr/"settings":\{"ui":\{\},"n":100,"x":"x+"\}.*"is_active":true\}$/,
        'and each is shown';
    like fetch(GET => '/users/user/status', $people[0]{token})->{body}, qr/"info":\{"ui":\{\},"n":0,"x":"x+"\}/,
        'to themselves';
    my $head = fetch(HEAD => '/users/?order_by=created_at&direction=asc');
    is_deeply [@{$head}{qw(status body)}], [200, ''], 'HEAD';
};

subtest 'thirty people whose rows were moved over' => sub {
    $roster->sql('SET GLOBAL max_allowed_packet = 33554432');
    my @pictures = map { png(more => "$_ " . 'y' x 2_000_000) } 0 .. 9;
    for my $n (0 .. 29) {
        my $id = $people[$n + 30]{id};
        $roster->sql(
            q{UPDATE user SET info = CONCAT('{"ui":{},"x":"', REPEAT('x', 4000000), '"}'), }
                . q{settings = CONCAT('"{\\\\"ui\\\\":{},\\\\"x\\\\":\\\\"', REPEAT('x', 4000000), '\\\\"}"') }
                . q{WHERE id = ?},
            $id
        ) if $n < 5;
        $roster->sql(
            q{UPDATE user SET profile_image_url = CONCAT('https://example.org/', REPEAT('x', 4000000)) WHERE id = ?},
            $id);
        $roster->sql('UPDATE user SET profile_image_url = ? WHERE id = ?', data_uri($pictures[$n]), $id) if $n < 10;
    }
    peak(1);
    my $answer = $page->(2);
    is $answer->{status}, 200, 'they list' or diag substr $answer->{body}, 0, 200;
    is scalar(() = $answer->{body} =~ /"group_ids":\[\]/g), 30, 'all thirty of the page';
    is scalar(grep { length == 4_000_000 } $answer->{body} =~ /"x":"(x+)"/g), 10,
        'with what they have, text in JSON too';
    unlike $answer->{body}, qr/data:image/, 'and no picture';
    my @addresses = $answer->{body} =~ m{"profile_image_url":"(/pictures/\w+\.png)"}g;
    is_deeply \@addresses, [map { picture_address($_) } @pictures], 'but their addresses';
    cmp_ok peak, '<', 100 * 1024, 'of which no worker holds more than a little' if !$is_slow;
    is fetch(GET => "/users/$people[32]{id}/profile/image")->{status}, 200, "a person's picture is shown";
    is fetch(GET => "/users/$people[45]{id}/profile/image")->{headers}{'content-type'}, 'image/png',
        'and the default, where an address is far too long';
    is fetch(GET => '/users/search?query=PPP&page=2')->{status}, 200, 'the search lists them, too';
    my $one = fetch(GET => "/users/$people[30]{id}");
    is scalar(grep { length == 4_000_000 } $one->{body} =~ /"x":"(x+)"/g), 2, 'each is shown whole';
    my ($status, $out) = $roster->rosterctl('user', 'show', $people[30]{id}, '--json');
    is $status, 0, 'rosterctl shows them, too';
    like $out, qr/"info":\{"ui":\{\},"x":"xxx/, 'whole';
};

subtest 'a hundred and fifty thousand people' => sub {
    my $count = $ENV{ROSTER_TEST_VALGRIND} ? 10_000 : 150_000;
    $roster->sql('INSERT INTO user (id, email, name, role, status_message, last_active_at, updated_at, created_at) '
            . q{SELECT CONCAT('many-', seq), CONCAT('many', seq, '@example.org'), CONCAT('Many ', seq), 'user', }
            . "REPEAT('s', 100), 1, 1, 5000 + seq FROM seq_1_to_$count");
    $roster->sql(
        "INSERT INTO `group` (id, user_id, name, description, created_at, updated_at) VALUES ('g', 'x', 'G', '', 1, 1)"
    );
    $roster->sql("INSERT INTO group_member (id, group_id, user_id, created_at, updated_at) "
            . "SELECT UUID(), 'g', id, 1, 1 FROM user WHERE id LIKE 'many-%'");
    peak(1);
    my $answer = fetch(GET => '/users/all');
    is $answer->{status}, 200, '/users/all' or diag substr $answer->{body}, 0, 200;
    like $answer->{body}, qr/\],"total":@{[$count + 61]}\}$/, 'counts everyone';
    is scalar(() = $answer->{body} =~ /"id":"/g), $count + 61, 'and lists them';
    like $answer->{body}, qr/^\{"users":\[\{"id":"many-$count",/, 'newest first';
    is $answer->{headers}{'content-length'}, undef, 'it goes out before its length is known';
    my $users = fetch(POST => '/groups/id/g/users');
    is_deeply [$users->{status}, scalar(() = $users->{body} =~ /"id":"/g)], [200, $count], "a group's members";
    my $export = fetch(GET => '/groups/id/g/export');
    is_deeply [
        $export->{status},
        scalar(() = $export->{body} =~ /"many-/g),
        $export->{body} =~ /"member_count":(\d+).*\]\}$/
        ],
        [200, $count, $count], "a group's export";
    cmp_ok peak, '<', 64 * 1024, 'in memory that does not grow with them' if !$is_slow;
    is fetch(HEAD => '/users/all')->{status}, 200, 'HEAD';

    # The connection to MariaDB goes in the middle, while nginx takes nothing more.
    my $begun = begin('/users/all');
    like $begun->{text}, qr{^HTTP/1\.1 200 .*\r\nTransfer-Encoding: chunked\r\n}s, 'an answer that has begun';
    my $killed = 0;
    without_nginx(sub {
        for my $id ($roster->connections('^SELECT.*ORDER BY u\.created_at DESC')) {
            $roster->sql("KILL $id");
            $killed++;
        }
    });
    finish($begun);
    SKIP: {
        skip 'MariaDB was faster', 3 if !$killed || $begun->{text} =~ /"total":\d+\}\r\n0\r\n\r\n$/;
        unlike $begun->{text}, qr/\r\n0\r\n\r\n$/, 'whose connection to MariaDB is killed has no end';
        unlike $begun->{text}, qr/"total"/, 'and does not look whole';
        ok $roster->wait_log(qr/\[error\].*the connection to MariaDB was lost/), 'the log says why';
    }
    is fetch(GET => '/users/user/status')->{status}, 200, 'and the service goes on';
};

# Neither the time that a statement may take ends it, nor that of a request, as long as it goes on.
subtest 'a list that takes long' => sub {
    $roster->configure(directory => {request_timeout => '3s'});
    $roster->reconfigure(database_read_timeout => '3s');
    my $begun = begin('/users/all');
    for (1 .. 3) {
        without_nginx(sub { Time::HiRes::sleep(1.4) });
        my $wanted = 2_000_000 + length $begun->{text};
        while (length $begun->{text} < $wanted) {
            sysread $begun->{socket}, $begun->{text}, 1 << 20, length $begun->{text} or last;
        }
    }
    like finish($begun), qr/"total":\d+\}\r\n0\r\n\r\n$/, 'has an end';
    my ($microseconds) = $roster->log_text('roster-access') =~ /.*route=users_all .* microseconds=(\d+) /s;
    note "it took $microseconds microseconds";
    SKIP: {
        skip 'it was too fast', 1 if $microseconds < 3_500_000;
        pass 'though it took longer';
    }
    $roster->configure(directory => {});
    $roster->reconfigure(database_read_timeout => undef);
};

subtest 'half a list' => sub {
    # A statement in the middle fails.
    my $begun = begin('/users/all');
    $roster->sql('RENAME TABLE user TO people');
    my $text = finish($begun);
    $roster->sql('RENAME TABLE people TO user');
    ok $roster->wait_log(qr/\[error\].*MariaDB refused with error 1146/), 'the log says why' or diag $roster->log_text;
    like $text, qr{^HTTP/1\.1 200 }, 'a list has begun';
    cmp_ok length $text, '>', 100_000, 'and gone on';
    unlike $text, qr/\r\n0\r\n\r\n$/, 'but has no end';
    ok $roster->wait_log(qr/route=users_all status=500 code=INTERNAL_ERROR/, 'roster-access'), 'and counts as failed';
    is fetch(GET => '/users/?page=2')->{status}, 200, 'the service goes on';

    # MariaDB answers no more.
    $roster->reconfigure(database_read_timeout => '2s', database_connect_timeout => '1s');
    $begun = begin('/users/all');
    $roster->pause('mariadb');
    $text = finish($begun);
    $roster->resume('mariadb');
    unlike $text, qr/\r\n0\r\n\r\n$/, 'nor has one of a MariaDB that hangs';
    ok $roster->wait_log(qr/route=users_all status=503 code=UNAVAILABLE/, 'roster-access'), 'which counts as failed';
    $roster->reconfigure(database_read_timeout => undef, database_connect_timeout => undef);

    # A client that leaves.
    my @before = $roster->workers;
    close begin('/users/all')->{socket};
    is fetch(GET => '/users/user/status')->{status}, 200, 'a client that leaves in the middle troubles nobody'
        for 1 .. 4;
    is_deeply [$roster->workers], \@before, 'the workers are the same';
};

done_testing;
