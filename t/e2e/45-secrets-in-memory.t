# What is left in a worker when a request is over: no password, no token, no key; and the memory of a large request.
use v5.36;
use utf8;

use Test::More;
use Roster;
no warnings qw(portable);

my $roster = Roster->new(config => {rate_limits => 'no'}, api => {workers => 2}, password => {workers => 1});
my $is_foreign = $ENV{ROSTER_TEST_VALGRIND} || `ldd $Roster::build/roster` =~ /libasan/;
my $admin = $roster->add_user(role => 'admin', created_at => 1, active => 1);

# Where one of the texts stands in the memory of a process: [name, address, what lies there]; undef where it may not be
# read.
sub search ($pid, %texts) {
    open my $maps, '<', "/proc/$pid/maps" or return undef;
    open my $memory, '<:raw', "/proc/$pid/mem" or return undef;
    my @found;
    my ($window, $overlap) = (1 << 20, 4096);
    while (my $line = readline $maps) {
        my ($from, $to, $rights, $rest) = $line =~ /^(\w+)-(\w+) (\S+) \S+ \S+ \S+\s*(.*)/ or next;
        next if $rights !~ /^rw/ || $rest =~ /^\[v/;
        for (my $at = hex $from; $at < hex $to; $at += $window - $overlap) {
            sysseek $memory, $at, 0 or last;
            my $size = hex($to) - $at < $window ? hex($to) - $at : $window;
            sysread $memory, my $bytes, $size or last;
            for my $name (sort keys %texts) {
                push @found, sprintf '%s in %s at %x', $name, $rest || 'a mapping', $at + $-[0]
                    while $bytes =~ /\Q$texts{$name}\E/g;
            }
        }
    }
    return \@found;
}

# A worker is through with a request a moment after its answer.
sub is_clean ($name, %texts) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $found;
    wait_until(
        3,
        sub {
            $found = [
                map {
                    my $pid = $_;
                    my $in = search($pid, %texts);
                    map { "$pid: $_" } @{$in // ['can not be read']}
                } $roster->workers
            ];
            !@$found;
        });
    return ok(!@$found, $name) || diag join "\n", splice @$found, 0, 12;
}

SKIP: {
    skip 'a sanitizer or valgrind has an allocator of its own', 1 if $is_foreign;
    my $readable = search(($roster->workers('api'))[0], x => $roster->key);
    skip 'the memory of the workers can not be read here: run it as root', 1 if !defined $readable;
    subtest 'secrets' => sub {
        cmp_ok scalar @$readable, '>=', 1, 'the search finds what is there: the key that signs';
        my $user = $roster->add_user(email => 'memory@example.org', password => 'a password to be looked for');
        my %secrets = (password => $user->{password});
        my $answer = $roster->sign_in($user);
        is $answer->{status}, 200, 'signed in';
        $secrets{token} = $answer->{json}{token};
        ($secrets{payload}, $secrets{signature}) = $secrets{token} =~ /\.(.*)\.(.*)/;
        delete $secrets{payload};
        is_clean('neither password nor token stays', %secrets);
        $secrets{wrong} = 'a wrong one to be looked for';
        is $roster->sign_in($user->{email}, password => $secrets{wrong})->{status}, 400, 'a wrong password';
        is $roster->request(GET => '/auths/', token => $secrets{token})->{status}, 200, 'the token';
        is $roster->request(GET => '/users/user/settings', cookie => $secrets{token})->{status}, 200, 'as a cookie';
        is $roster->request(GET => '/users/user/info', headers => {'X-API-Key' => $secrets{token}})->{status}, 200,
            'and as what it is not';
        is $roster->request(GET => '/users/', token => "$secrets{token}x")->{status}, 401, 'one that is none';
        is_clean('none stays, whichever way it came', %secrets);
        $secrets{new} = 'another password to be looked for';
        is $roster->request(
            POST => '/auths/update/password',
            token => $secrets{token},
            json => {password => $user->{password}, new_password => $secrets{new}}
        )->{status}, 200, 'another password';
        $secrets{given} = 'a password that is given to be looked for';
        is $roster->post('/auths/add', $admin, {name => 'N', email => 'n@example.org', password => $secrets{given}})
            ->{status}, 200, 'an account';
        $secrets{own} = 'a password of a sign-up to be looked for';
        $roster->request(
            POST => '/auths/signup',
            json => {name => 'S', email => 's@example.org', password => $secrets{own}});
        $roster->request(
            POST => '/auths/signin',
            body => qq({"email": "x", "password": "$secrets{own}),
            headers => ['Content-Type' => 'application/json']);
        $roster->request(POST => '/auths/signin', json => {password => $secrets{own} . 'y' x 100_000});
        is_clean('nor in changes, nor of what was refused', %secrets);
        $secrets{ldap} = 'a password of LDAP to be looked for';
        is $roster->post('/auths/admin/config/ldap/server',
            $admin, {label => 'L', host => 'h', app_dn => 'd', app_dn_password => $secrets{ldap}, search_base => 'b'})
            ->{status}, 200,
            "LDAP's password";
        is $roster->get('/auths/admin/config', $admin)->{status}, 200, 'is read with the settings';
        $roster->sql('DELETE FROM config');
        $roster->sql(q{INSERT INTO config (id, data, version) VALUES (1, '{"auth": {"enable_api_keys": true}}', 0)});
        $secrets{plain} = 'sk-' . 'a1' x 16;
        $roster->secret($secrets{plain});
        $roster->sql('INSERT INTO api_key (id, user_id, `key`, is_primary) VALUES (?, ?, ?, 1)',
            'k1', $admin->{id}, $secrets{plain});
        is $roster->request(GET => '/users/', token => $secrets{plain})->{status}, 200, 'a key that was moved over';
        is $roster->request(GET => '/users/', headers => {'X-API-Key' => $secrets{plain}})->{status}, 200, 'once more';
        $answer = $roster->ask(POST => '/auths/api_key', $admin);
        is $answer->{status}, 200, 'a new key';
        $secrets{key} = $answer->{json}{api_key};
        is $roster->request(GET => '/users/', token => $secrets{key})->{status}, 200, 'works';
        $secrets{unknown} = 'sk-' . 'b2' x 16;
        is $roster->request(GET => '/users/', token => $secrets{unknown})->{status}, 401, 'one that is none does not';
        is_clean('keys neither', %secrets);
    };
}

subtest 'nobody looks into a worker' => sub {
    plan skip_all => 'a sanitizer does' if $is_foreign;
    for my $pid ($roster->process('roster')->{pid}, $roster->workers) {
        my $limits = Roster::Database::slurp("/proc/$pid/limits");
        like $limits, qr/^Max core file size\s+0\s+0\s/m, 'no core file is written';
        is((stat "/proc/$pid/mem")[4], 0, 'and its memory is for root')
            if $> != 0;    # of root's processes it is so anyway
    }
};

subtest 'memory of a large request' => sub {
    plan skip_all => 'a sanitizer or valgrind keeps memory' if $is_foreign;
    my $rss = sub {
        my %kilobytes = map { my ($n) = Roster::Database::slurp("/proc/$_/status") =~ /^VmRSS:\s+(\d+)/m; ($_ => $n) }
            $roster->workers('api');
        return \%kilobytes;
    };
    my $user = $roster->add_user;
    for (1 .. 10) {    # both workers have seen everything once
        $roster->post('/users/user/info/update', $user, {a => 1});
        $roster->get('/users/', $admin);
    }
    my $before = $rss->();
    my $large = $roster->add_user;
    $roster->sql(q{UPDATE user SET info = CONCAT('{"x":"', REPEAT('x', 8000000), '"}') WHERE id = ?}, $large->{id});
    {
        local $Roster::Http::decodes = 0;
        cmp_ok length $roster->get("/users/$large->{id}", $admin)->{body}, '>', 8_000_000, 'a document of 8 MB'
            for 1 .. 4;
    }
    my $many = '{' . join(',', map { qq("key$_":[{}]) } 1 .. 20_000) . '}';
    for (1 .. 4) {
        my $answer = $roster->ask(
            POST => '/users/user/info/update',
            $user,
            headers => ['Content-Type' => 'application/json'],
            body => $many);
        is $answer->{status}, 413, 'a body of 20,000 lists and objects, which json-c takes over 25 MB for';
    }
    my $after;
    ok wait_until(
        3,
        sub {
            $after = $rss->();
            !grep { $after->{$_} > ($before->{$_} // $after->{$_}) + 4096 } keys %$after;
        }
        ),
        'is given back'
        or diag explain [$before, $after];
    is_deeply [sort keys %$after], [sort keys %$before], 'by the same workers';
};

done_testing;
