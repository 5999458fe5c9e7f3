# An account of MariaDB for each kind of process (database_accounts): what each may do is enough for people and
# administrators, and not more; each process has the password of its own alone; roster -t and rosterctl migrate mend what an
# account lacks.
use v5.36;
no warnings qw(portable);

use JSON::PP ();
use Test::More;
use Roster;
use Roster::Mail;

my $roster = Roster->new(
    accounts => 1,
    start => 0,
    config => {rate_limits => 'no', identity_cache => '10s', public_url => $Roster::Mail::URL});
my $sendmail = Roster::Mail::stand_in("$roster->{directory}/sendmail");
Roster::Database::write_file("$roster->{directory}/sendmail/mode", "0\n");
$roster->set_directives(sendmail_command => $sendmail, mail_directory => "$Roster::source/conf/mail");
$roster->start;
my $directory = "$roster->{directory}/accounts";
my $is_foreign = $ENV{ROSTER_TEST_VALGRIND} || `ldd $Roster::build/roster` =~ /libasan/;
my @accounts = qw(api password directory status watcher housekeeper mailer rosterctl);

sub password_of ($name) { return Roster::Database::slurp("$directory/$name") =~ s/\n//r }

# What MariaDB says to a statement of an account: '' where it is carried out.
sub refusal ($name, $sql) {
    my @command = (
        Roster::Database::find_program('mariadb', 'mysql'),
        '--no-defaults', '--socket=' . $roster->socket_path('mariadb'),
        "--user=roster-$name", '--database=roster', '--batch', '-e', $sql);
    local $ENV{MYSQL_PWD} = password_of($name);
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command or die "sh: $!\n";
    my $text = join '', readline $out;
    return close $out ? '' : $text;
}
sub check () { return $roster->run_program('roster', '-c', $roster->config_file, '-t') }

subtest 'what people and administrators do' => sub {
    my $admin = $roster->add_user(role => 'admin', created_at => 1);
    my %person = (email => 'ada@example.org', name => 'Ada', role => 'user', password => $Roster::PASSWORD);
    my $added = $roster->call(user_add => 200, token => $admin->{token}, json => \%person)->{json};
    $person{id} = $added->{id};
    my $answer = $roster->sign_in(\%person);
    is $answer->{status}, 200, 'a person who was added signs in' or diag $answer->{body};
    my $token = $roster->secret($answer->{json}{token});
    my $other = $roster->secret('another password than that');
    is $roster->request(
        POST => '/auths/update/password',
        token => $token,
        json => {password => $Roster::PASSWORD, new_password => $other}
    )->{status}, 200, 'changes the password';
    is $roster->sign_in(\%person, password => $other)->{status}, 200, 'and signs in with it';
    $roster->change_settings($admin, ENABLE_SIGNUP => JSON::PP::true, ENABLE_API_KEYS => JSON::PP::true);
    my $new = $roster->call(
        sign_up => 200,
        json => {name => 'New', email => 'new@example.org', password => $Roster::PASSWORD}
    )->{json};
    $roster->secret($new->{token});
    is $roster->post(
        '/auths/update/profile',
        {token => $token},
        {name => 'Ada L.', profile_image_url => '/user.png', bio => 'x'}
    )->{status}, 200, 'a profile';
    my $key = $roster->call(api_keys_create => 200, token => $admin->{token}, json => {name => 'a key'})->{json};
    $roster->secret($key->{api_key});
    is $roster->request(GET => '/users/', headers => {'X-API-Key' => $key->{api_key}})->{status}, 200,
        'a list, with a key';
    my $group = $roster->call(group_create => 200, token => $admin->{token}, json => {name => 'G', description => ''});
    my $id = $group->{json}{id};
    $roster->call(
        users_bulk => 200,
        token => $admin->{token},
        json => {action => 'add_to_group', group_id => $id, user_ids => [$new->{id}]});
    $roster->call(
        group_users_add => 200,
        in => {group_id => $id},
        token => $admin->{token},
        json => {user_ids => [$person{id}]});
    is $roster->get("/users/?query=ada&order_by=last_active_at", $admin)->{json}{total}, 1, 'a search';
    my $listed = $roster->get('/users/?query=ada&include=account', $admin)->{json}{users}[0];
    is $listed->{account}{has_password}, JSON::PP::true, 'that there is a password is known without its hash';
    is $roster->get('/audit', $admin)->{status}, 200, 'the audit';
    is $roster->get('/auths/export', {token => $roster->new_session(\%person, password => $other)})->{status}, 200,
        'what is held about somebody';
    is $roster->post('/auths/password/forgot', undef, {email => $person{email}})->{status}, 200, 'a forgotten password';
    my $link;
    ok wait_until(
        20,
        sub {
            ($link) = map { (Roster::Mail::parse(Roster::Database::slurp($_))->{link} // '') =~ /reset#(.*)/ }
                glob "$roster->{directory}/sendmail/*.message";
        }
        ),
        '... a mail with a link';
    $roster->call(
        password_reset => 200,
        json => {token => $roster->secret($link // ''), new_password => $Roster::PASSWORD});
    is $roster->get($_)->{status}, 200, $_ for qw(/status /ready);
    is $roster->request(DELETE => "/users/$new->{id}", token => $admin->{token})->{status}, 200, 'one is deleted';
    is $roster->ctl('user', 'erase', $person{email}, '--yes')->{status}, 0, 'one is erased, by rosterctl';
    ok wait_until(10, sub { $roster->sql('SELECT COUNT(*) FROM audit WHERE number IS NULL') == 0 }),
        'the housekeeper numbers the audit';
    unlike $roster->log_text, qr/command denied|\[114[0-9]\]/, 'MariaDB refused nothing';
};

subtest 'each with its own account' => sub {
    my %seen = map { $_->[0] => 1 }
        $roster->sql(q{SELECT DISTINCT user FROM information_schema.processlist WHERE user LIKE 'roster%'});
    delete $seen{'roster-mailer'};
    is_deeply [sort keys %seen], [map { "roster-$_" } sort grep { !/mailer|rosterctl/ } @accounts],
        'each kind of process is connected by its account';
    for my $name (grep { !/^(?:password|rosterctl)$/ } @accounts) {
        like refusal($name, 'SELECT password FROM auth'), qr/denied/, "$name reads no hash";
        like refusal($name, 'DROP TABLE known_network'), qr/denied/, '... and changes no table';
    }
    is refusal($_, 'SELECT password FROM auth'), '', "$_ reads hashes" for qw(password rosterctl);
    like refusal('api', $_), qr/denied/, "api: $_"
        for 'UPDATE auth SET password = 1', 'DELETE FROM audit', 'SELECT token FROM oauth_session',
        q{INSERT INTO one_time_link (user_id, purpose, hash, email) VALUES ('a', 'b', 'c', 'd')};
    SKIP: {
        skip 'a sanitizer or valgrind keeps what is freed', 1 if $is_foreign;
        my ($worker) = $roster->workers('api');
        my $own = passwords_in($worker);
        skip 'the memory of a worker can not be read here: run it as root', 1 if !defined $own;
        is_deeply $own, ['api'], 'a worker has no other password in its memory';
        is_deeply passwords_in($roster->housekeeper), ['housekeeper'], 'nor has the housekeeper';
        is $roster->reload, '', 'a reload, while the old configuration is there, too';
        ok wait_until(
            10,
            sub {
                !grep { $_ == $worker } $roster->workers('api');
            }
            ),
            'other workers';
        is_deeply passwords_in($_), ['api'], 'they have none, either' for $roster->workers('api');
    }
};

# The accounts whose passwords stand in the memory of a process; undef where it may not be read.
sub passwords_in ($pid) {
    open my $maps, '<', "/proc/$pid/maps" or return undef;
    open my $memory, '<:raw', "/proc/$pid/mem" or return undef;
    my %found;
    while (my $line = readline $maps) {
        my ($from, $to, $rest) = $line =~ /^(\w+)-(\w+) rw\S* \S+ \S+ \S+\s*(.*)/ or next;
        next if $rest =~ /^\[v/ || hex($to) - hex($from) > 1 << 26;
        sysseek $memory, hex $from, 0 or next;
        sysread $memory, my $bytes, hex($to) - hex($from) or next;
        $found{$_}++ for grep { index($bytes, password_of($_)) >= 0 } @accounts;
    }
    return [sort keys %found];
}

subtest 'what an account lacks, or has too much' => sub {
    my ($status, $output) = check();
    is $status, 0, 'roster -t is content' or diag $output;
    like $output, qr/each of the 8 accounts of database_accounts may do what it must, and no more/, 'and says so'
        or diag $output;

    # The commands that mend it, which call the client as root.
    my $mend = sub ($text) {
        for my $sql ($text =~ /mend it: mariadb -e '([^']+)'/g) {
            $roster->sql($sql);
        }
    };
    $roster->sql(q{REVOKE INSERT ON roster.audit FROM 'roster-directory'@'localhost'});
    ($status, $output) = check();
    isnt $status, 0, 'too little is an error';
    my $grant = 'GRANT SELECT, INSERT ON `roster`.`audit` TO `roster-directory`@`localhost`';
    like $output, qr/error: MariaDB's account roster-directory may not do what Roster needs: \Q$grant\E; mend it/,
        'with the statement'
        or diag $output;
    $mend->($output);
    is + (check())[0], 0, 'which mends it';

    $roster->sql(q{GRANT SELECT ON roster.* TO 'roster-api'@'localhost'});
    ($status, $output) = check();
    is $status, 0, 'too much is a warning';
    like $output, qr/warning: MariaDB's account roster-api may read the hashes of passwords, which it does not need/,
        'above all where hashes can be read'
        or diag $output;
    $roster->sql(q{REVOKE SELECT ON roster.* FROM 'roster-api'@'localhost'});
    $roster->sql(q{GRANT UPDATE (name) ON roster.user TO 'roster-status'@'localhost'});
    (undef, $output) = check();
    like $output, qr/warning: MariaDB's account roster-status may do more than Roster needs; mend it/, 'or anything';
    $mend->($output);
    unlike + (check())[1], qr/warning: MariaDB's account/, 'mended';

    $roster->sql(q{REVOKE PROCESS ON *.* FROM 'roster-watcher'@'localhost'});
    like + (check())[1], qr/account roster-watcher may not .*GRANT PROCESS ON \*\.\* TO/, 'a privilege of no table';
    $roster->sql(q{GRANT PROCESS ON *.* TO 'roster-watcher'@'localhost'});

    $roster->sql(q{REVOKE SELECT, INSERT ON roster.audit FROM 'roster-directory'@'localhost'});
    $roster->sql(q{REVOKE DELETE ON roster.session FROM 'roster-api'@'localhost'});
    like + (check())[1], qr/error: .*roster-api.*error: .*roster-directory/s, 'two of them';
    my $migrated = $roster->ctl('migrate', '--directory', "$Roster::source/sql");
    is $migrated->{status}, 0, 'rosterctl migrate';
    is $migrated->{err}, '', '... has nothing to complain of';
    is + (check())[0], 0, '... and grants what was missing' or diag + (check())[1];
};

subtest 'passwords' => sub {
    my $good = Roster::Database::slurp("$directory/housekeeper");
    Roster::Database::write_file("$directory/housekeeper", "another\n");
    like $roster->reload, qr/MariaDB can't be reached with the new settings.*roster-housekeeper.*denied/,
        'a reload with a wrong one is refused';
    like + (check())[1], qr/error: MariaDB does not let the account roster-housekeeper in: /, 'roster -t tells of it';
    unlink "$directory/housekeeper";
    like $roster->reload, qr{accounts/housekeeper \(database_accounts\): can't be read}, 'and without a file';
    Roster::Database::write_file("$directory/housekeeper", $good);
    is $roster->reload, '', 'put back';
    $roster->sql(q{GRANT SELECT, INSERT, UPDATE, DELETE ON roster.* TO 'roster'@'localhost'});
    $roster->sql(q{ALTER USER 'roster'@'localhost' IDENTIFIED BY ''});
    my (undef, $output) = check();
    like $output, qr/warning: MariaDB's account roster is not needed any more, but each process .* may use it; mend it/,
        'the account before that needs no password is told of'
        or diag $output;
    $roster->sql($1) if $output =~ /mend it: mariadb -e '(REVOKE ALL[^']+)'/;
    unlike + (check())[1], qr/is not needed any more/, '... until it may do nothing';
};

# A user of Redis's access control lists, with what `rosterctl grants --redis' says.
subtest 'a user of Redis' => sub {
    my $file = "$roster->{directory}/redis.password";
    Roster::Database::write_file($file, $roster->secret('a password of Redis') . "\n");
    $roster->set_directives(redis_user => 'roster', redis_password_file => $file);
    my ($status, $command) = $roster->rosterctl('grants', '--redis');
    is $status, 0, 'rosterctl grants --redis' or diag $command;
    unlike $command, qr/a password of Redis/, '... prints no password';
    my @words = split ' ', $command;
    $roster->redis(@words);
    is $roster->reload, '', 'the service connects as that user' or diag $roster->log_tail('roster-error');
    ok wait_until(10, sub { $roster->status->{identity_cache}{used} // 1 }), 'and follows what others revoke';
    $roster->redis('ACL', 'LOG', 'RESET');
    my $somebody = $roster->add_user;
    my $answer = $roster->sign_in($somebody);
    is $answer->{status}, 200, 'a sign-in';
    my $token = $roster->secret($answer->{json}{token});
    is $roster->request(POST => '/auths/signout', token => $token)->{status}, 200, 'a sign-out'
        if $roster->request(GET => '/auths/', token => $token)->{status} == 200;
    ok wait_until(
        10,
        sub {
            grep { /:auth:token:/ } @{$roster->redis('KEYS', '*')};
        }
        ),
        '... is written to Redis';
    $roster->redis('FLUSHALL');
    ok wait_until(
        15,
        sub {
            $roster->get('/auths/', $roster->add_user);    # a request asks whether Redis has what it had
            return scalar grep { /:roster:loaded$/ } @{$roster->redis('KEYS', '*')};
        }
        ),
        'what it lost is loaded again';
    $roster->reconfigure(rate_limits => 'yes');
    is $roster->sign_in($somebody)->{status}, 200, 'a sign-in that is counted';
    ok scalar(grep { /:ratelimit:/ } @{$roster->redis('KEYS', '*')}), '... in Redis';
    is_deeply [grep { $_->[9] eq 'roster' } @{$roster->redis('ACL', 'LOG')}], [], 'Redis has refused nothing';
    is + (check())[0], 0, 'roster -t is content';
    my @refused = map {
        my $text = eval { $roster->redis('ACL', 'DRYRUN', 'roster', @$_) } // $@;
        $text eq 'OK' ? "@$_" : ()
        } ['FLUSHALL'], ['CONFIG', 'GET', '*'], ['KEYS', '*'], ['GET', 'another:key'], ['EVAL', 'return 1', '0'],
        ['CLIENT', 'KILL', 'TYPE', 'normal'], ['SUBSCRIBE', 'another'];
    is "@refused", '', 'and the user may do nothing else';
};

done_testing;
