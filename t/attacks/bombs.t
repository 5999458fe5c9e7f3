# CWE-409, CWE-400, CWE-674: bombs: what is small on its way and large, deep or slow when it is read.
use v5.36;

use IO::Compress::Gzip ();
use Test::More;
use Roster::Attack;
use Roster::Pictures;

sub memory ($roster) {
    my $most = 0;
    for my $pid ($roster->workers) {
        my ($kilobytes) = eval { Roster::Database::slurp("/proc/$pid/status") } =~ /^VmHWM:\s*(\d+)/m;
        $most = $kilobytes if ($kilobytes // 0) > $most;
    }
    return $most;
}

attack 'pictures of many pixels' => sub ($roster) {
    my $user = $roster->add_user;
    my $set = sub ($bytes, $type = 'image/png') {
        $roster->post('/auths/update/profile', $user, {name => 'N', profile_image_url => data_uri($bytes, $type)});
    };
    is_problem $set->(png(width => $_->[0], height => $_->[1])), 400, 'INVALID_IMAGE', "a PNG of $_->[0] times $_->[1]"
        for [50_000, 50_000], [65_536, 1], [1, 4_294_967_295], [4097, 1], [0, 10];
    my %others = (
        'image/gif' => 'GIF89a' . pack('vv', 65_535, 65_535) . "\0\0\0",
        'image/jpeg' => "\xff\xd8\xff\xc0\0\x11\x08" . pack('nn', 65_500, 65_500) . "\3" . "\0" x 9 . "\xff\xd9",
        'image/webp' => "RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff");
    is_problem $set->($others{$_}, $_), 400, 'INVALID_IMAGE', $_ for sort keys %others;
    is $set->(png(width => 4096, height => 4096))->{status}, 200, 'what is allowed';
};

attack 'compressed bodies' => sub ($roster) {
    my $user = $roster->add_user;
    my $json = '{"x":"' . 'a' x 20_000_000 . '"}';
    IO::Compress::Gzip::gzip(\$json, \my $bomb);
    for my $coding (qw(gzip deflate br zstd), 'gzip, gzip') {
        my $answer = $roster->request(
            POST => '/users/user/info/update',
            token => $user->{token},
            headers => ['Content-Type' => 'application/json', 'Content-Encoding' => $coding],
            body => $bomb);
        cmp_ok $answer->{status}, '>=', 400, "$coding: $answer->{status}, as it is not unpacked";
    }
    my $answer = $roster->request(
        POST => '/users/user/info/update',
        token => $user->{token},
        headers => ['Content-Type' => 'application/json', TE => 'gzip', 'Transfer-Encoding' => 'gzip, chunked'],
        body => $bomb);
    cmp_ok $answer->{status}, '>=', 400, 'nor is the coding of a transfer';
};

attack 'JSON that is deep, wide, or long to read' => sub ($roster) {
    my $user = $roster->add_user;
    my $memory = memory($roster);
    my %bodies = (
        'deep lists' => '{"x":' . '[' x 200_000 . ']' x 200_000 . '}',
        'deep objects' => '{"a":' x 100_000 . '1' . '}' x 100_000,
        'deep, without an end' => '[' x 500_000,
        'a number of a million digits' => '{"x":' . '9' x 1_000_000 . '}',
        'an exponent' => '{"x":1e999999999}',
        'many names that are the same' => '{' . join(',', ('"a":1') x 100_000) . '}',
        'many names' => '{' . join(',', map { "\"k$_\":1" } 1 .. 100_000) . '}',
        'escapes' => '{"x":"' . '\\u0041' x 200_000 . '"}');
    for my $name (sort keys %bodies) {
        my $answer = $roster->post('/users/user/info/update', $user, $bodies{$name});
        ok $answer, "$name: $answer->{status}";
        is $roster->get('/users/user/status', $user)->{status}, 200, '... and the next request is answered';
    }
    # As much as a few bodies, however they were read.
    cmp_ok memory($roster) - $memory, '<', 200_000, 'no worker has taken hundreds of megabytes'
        if !$ENV{ROSTER_TEST_VALGRIND} && !$ENV{ASAN_OPTIONS};
    ok $roster->pool_answers($_), "pool $_ answers" for @Roster::POOLS;
};

attack 'many of something small' => sub ($roster) {
    my ($admin, $user) = ($roster->add_user(role => 'admin'), $roster->add_user);
    my %requests = (
        'header fields' => sub {
            $roster->request(GET => '/auths/', headers => [map { ("X-$_" => 1) } 1 .. 2000]);
        },
        'cookies' => sub {
            $roster->request(GET => '/auths/', headers => [Cookie => join '; ', map { "a$_=b" } 1 .. 700]);
        },
        'fields of a query' => sub {
            $roster->get('/users/?' . join('&', map { "page=$_" } 1 .. 900), $admin);
        },
        'ids' => sub {
            $roster->post('/users/bulk', $admin, {action => 'disable', user_ids => [map { "id$_" } 1 .. 100_000]});
        },
        'addresses' => sub {
            $roster->post('/auths/add/check', $admin, {emails => [map { "a$_\@b.c" } 1 .. 100_000]});
        },
        'letters of a password' => sub { $roster->sign_in($user, password => 'a' x 900_000) },
        'words of a search' => sub { $roster->get('/users/search?query=' . '%20a' x 1000, $user) });
    for my $name (sort keys %requests) {
        my $answer = $requests{$name}->();
        ok $answer->{status} < 500, "many $name: $answer->{status}" or diag $answer->{body};
    }
    is $roster->get('/users/user/status', $user)->{status}, 200, 'and all goes on';
};

end_of_attacks;
