# The directory: lists and searches that the workers of [directory] answer from memory are what SQL says at the same
# moment, whoever has changed something, and in whatever way; they are so while it is loaded, where a worker dies, and
# where it has no room.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Time::HiRes ();

my $roster = Roster->new(
    config => {last_active_interval => '1d', rate_limits => 'no'},
    directory => {workers => 3});
my $now = time;
my $canonical = JSON::PP->new->canonical;
my $admin = $roster->add_user(role => 'admin', name => 'Root', last_active_at => $now, created_at => 1);

# Another service over the same rows, which has no directory.
sub over_the_same ($other, %config) {
    return Roster->new(
        without => [qw(mariadb redis nginx)],
        config => {
            last_active_interval => '1d',
            rate_limits => 'no',
            secret_key_file => "$other->{directory}/secret.key",
            database_password_file => "$other->{directory}/database.password",
            database_socket => $other->socket_path('mariadb'),
            redis_socket => $other->socket_path('redis'),
            %config
        });
}
my $plain = over_the_same($roster, directory_size => 0);

sub status_of ($service) {
    return $service->fastcgi('status', {REQUEST_URI => '/status?format=json'})->{json};
}

sub is_ready ($service) {
    return wait_until(30, sub { status_of($service)->{directory} eq 'ready' });
}

# A list, as status and what is in it. A machine that stands still for longer than a statement may take gives 503, which
# says nothing about what is found: that is asked again.
sub list ($service, $query, %more) {
    my %parameters = (query => $query, %more);
    my $path = '/users/search?' . join '&', map { "$_=" . escape($parameters{$_}) } sort keys %parameters;
    my $answer;
    for (1 .. 3) {
        $answer =
              $service == $roster
            ? $roster->get($path, $admin)
            : $service->fastcgi('directory',
            {REQUEST_URI => "/api/v1$path", HTTP_AUTHORIZATION => "Bearer $admin->{token}"});
        last if $answer->{status} != 503;
    }
    return {status => 0 + $answer->{status}, %{$answer->{json}}};
}

sub escape ($text) {
    utf8::encode($text);
    return $text =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
}

# The names that a search finds, in their order.
sub names ($query, %more) {
    my $list = list($roster, $query, %more);
    return $list->{status} == 200
        ? join(', ', sort map { $_->{name} } @{$list->{users}}) . " of $list->{total}"
        : $list->{status};
}

sub same ($one, $other) { return $canonical->encode($one) eq $canonical->encode($other) }

# Statements of the pool's answer.
sub statements ($path) {
    my $answer = $roster->get($path, $admin);
    return $roster->access_line($answer)->{statements};
}

ok is_ready($roster), 'the directory is loaded';
is status_of($plain)->{directory}, 'off', 'and the other service has none';

# ---- Changes ----

sub post ($path, $json, $who = $admin) {
    my $answer = $roster->post($path, $who, $json);
    die "$path: $answer->{status} $answer->{body}\n" if $answer->{status} != 200;
    return $answer->{json};
}

sub rosterctl (@words) {
    my $result = $roster->ctl(@words);
    return $result->{status} == 0 || die "rosterctl @words: $result->{status}: $result->{err}\n";
}
my %rest = (role => 'user', profile_image_url => '/user.png');

# Each change, and what a search for 'zoe' finds at once, in whichever worker.
for my $case (
    [
        'an account is made' => 'Zoë of 1',
        sub { post('/auths/add', {%rest, name => 'Zoë', email => 'z@example.org', password => 'a long password 1'}) }
    ],
    [
        'somebody is renamed' => 'Zoé, Zoë of 2',
        sub {
            my $user =
                post('/auths/add', {%rest, name => 'x', email => 'x@example.org', password => 'a long password 1'});
            names('zoe');
            post("/users/$user->{id}/update", {%rest, name => 'Zoé', email => 'x@example.org'});
        }
    ],
    [
        'they rename themselves' => 'ZOE, Zoë of 2',
        sub {
            my $user = $roster->sql(q{SELECT id FROM user WHERE email = 'x@example.org'});
            post(
                '/auths/update/profile',
                {name => 'ZOE', profile_image_url => '/user.png'},
                {token => $roster->token_for($user)});
        }
    ],
    [
        'an email address changes' => 'Quinn, ZOE, Zoë of 3',
        sub {
            my $user = $roster->add_user(name => 'Quinn', last_active_at => $now, created_at => $now + 10);
            names('zoe');
            post("/users/$user->{id}/update", {%rest, name => 'Quinn', email => 'zoe@elsewhere.example'});
        }
    ],
    [
        'somebody is deleted' => 'Quinn, Zoë of 2',
        sub {
            my $user = $roster->sql(q{SELECT id FROM user WHERE email = 'x@example.org'});
            $roster->ask(DELETE => "/users/$user", $admin)->{status} == 200 or die;
        }
    ],
    [
        'rosterctl makes an account' => 'Quinn, Zoe by hand, Zoë of 3',
        sub {
            rosterctl('user', 'add', '--email', 'hand@example.org', '--name', 'Zoe by hand', '--role', 'user',
                '--random-password');
        }
    ],
    [
        'rosterctl deletes one' => 'Quinn, Zoë of 2',
        sub { rosterctl('user', 'delete', 'hand@example.org', '--yes') }
    ],
    [
        'a row is inserted by hand' => 'Quinn, Zoë, zoe of 3',
        sub { $roster->add_user(name => 'zoe', email => 'by@hand.example', created_at => 5) }
    ],
    [
        'a row is changed by hand' => 'Quinn, Zoë of 2',
        sub { $roster->sql(q{UPDATE user SET name = 'Someone' WHERE email = 'by@hand.example'}) }
    ],
    [
        'another service changes it' => 'Quinn, Zoe again, Zoë of 3',
        sub {
            my $user = $roster->sql(q{SELECT id FROM user WHERE email = 'by@hand.example'});
            my $body = JSON::PP->new->encode({%rest, name => 'Zoe again', email => 'by@hand.example'});
            $plain->fastcgi(
                'api',
                {
                    REQUEST_METHOD => 'POST',
                    REQUEST_URI => "/api/v1/users/$user/update",
                    CONTENT_TYPE => 'application/json',
                    CONTENT_LENGTH => length $body,
                    HTTP_AUTHORIZATION => "Bearer $admin->{token}"
                },
                $body
                )->{status} == 200
                or die;
        }
    ],
    [
        'rows are deleted by hand' => 'Quinn of 1',
        sub { $roster->sql(q{DELETE FROM user WHERE email IN ('by@hand.example', 'z@example.org')}) }
    ])
{
    my ($what, $found, $change) = @$case;
    names('zoe') for 1 .. 4;    # each worker has looked
    $change->();
    is names('zoe'), $found, "$what: the next search shows it";
    is_deeply [grep { $_ ne $found } map { names('zoe') } 1 .. 6], [], '... in each worker';
    is list($roster, '')->{total} - list($plain, '')->{total}, 0, '... and the list has as many' if $what !~ /by hand$/;
}
# Whom no time of a change tells is found when the numbers of users are compared.
sub counts_the_same {
    return wait_until(10, sub { list($roster, '')->{total} == list($plain, '')->{total} });
}
ok counts_the_same(), 'rows deleted by hand count no more';

subtest 'what concerns no name is not read again' => sub {
    my $user = $roster->add_user(name => 'Busy', created_at => 4);
    $roster->sql('UPDATE user SET changed_at = NULL WHERE id = ?', $user->{id});
    post('/users/user/status/update', {status_message => 'here'}, $user);
    post('/users/user/info/update', {city => 'Graz'}, $user);
    post('/users/user/settings/update', {ui => {theme => 'dark'}}, $user);
    post('/auths/update/timezone', {timezone => 'Europe/Vienna'}, $user);
    $roster->ask(DELETE => '/auths/sessions', $user)->{status} == 200 or die;
    ok $roster->sql(
        'SELECT sessions_ended_at > 0 AND last_active_at > created_at AND info IS NOT NULL '
            . 'AND timezone IS NOT NULL AND status_message IS NOT NULL FROM user WHERE id = ?',
        $user->{id}
        ),
        'all was written';
    is $roster->sql('SELECT changed_at FROM user WHERE id = ?', $user->{id}), undef,
        'and the time of a change is as it was';
};

# ---- The same as SQL ----

# Letters of many scripts, in both cases, with and without marks; one letter is one character.
my @LETTERS = (
    [map { split // } 'abcdeABCDEäÁçéËøŁđñÑõ 1@.'],
    [split //, 'абвежАБВЖйЙёґ '],
    [split //, 'αβγάΓΩωίΐ'],
    [split //, '山田太郎李ーアあカか'],
    [split //, 'אבגדה '],
    [split //, 'كتابأإ '],
    [split //, 'कखगि '],
    [split //, '한글이름'],
    [split //, '😀🎉%_\\']);

sub random_text ($letters, $max) {
    return join '', map { $letters->[rand @$letters] } 1 .. 1 + rand $max;
}

sub add_people ($count) {
    my @rows;
    for my $number (1 .. $count) {
        my $letters = $LETTERS[rand @LETTERS];
        my $name = random_text($letters, 12);
        push @rows, sprintf q{('p%d-%d', %s, 'p%d.%d@example.org', %d, %d, NULL)}, $$, $number,
            Roster::Database::quote($name), $number, rand 1000, rand 500, $now;
    }
    $roster->sql('INSERT INTO user (id, name, email, created_at, last_active_at, changed_at) VALUES ' . join ', ',
        @rows);
    return;
}

srand 47;
subtest 'the same as SQL' => sub {
    # Rows without a time of change are as old as the column: only who compares all of them sees them.
    add_people(1500);
    $roster->sql(q{UPDATE user SET changed_at = NOW(6) WHERE id LIKE 'p%' AND changed_at IS NULL});
    ok is_ready($roster) && counts_the_same(), 'they are read, and so is who was there before';
    my @orders = (
        {},
        map {
            my $by = $_;
            map { {order_by => $by, direction => $_} } qw(asc desc)
        } qw(created_at name email role));
    my ($differ, $hits) = (0, 0);
    for my $round (1 .. 220) {
        my $letters = $LETTERS[rand @LETTERS];
        my $query = $round % 20 == 0 ? '' : random_text($letters, $round % 3 + 1);
        my %more = (%{$orders[rand @orders]}, page => $round % 4 ? 1 : 1 + int rand 4);
        my ($own, $other) = map { list($_, $query, %more) } $roster, $plain;
        $hits += @{$own->{users} // []} > 0;
        next if same($own, $other);
        $differ++ < 3 and is_deeply $own, $other, join ' ', 'round', $round, escape($query), %more;
    }
    is $differ, 0, 'random searches find the same people in the same order';
    cmp_ok $hits, '>', 100, 'and most of them somebody';
};

subtest 'what SQL can not say' => sub {
    $roster->add_user(name => 'Straße', email => 'eszett@example.org', created_at => 2);
    $roster->add_user(name => "Ele\x{301}onore", email => 'decomposed@example.org', created_at => 2);
    $roster->add_user(name => "Zero\x{200D}width", email => 'joiner@example.org', created_at => 2);
    $roster->add_user(name => 'Ægir', email => 'ligature@example.org', created_at => 2);
    is names('strasse'), 'Straße of 1', 'a letter equals two';
    is names('SSE'), 'Straße of 1', 'in the middle of a word';
    is names('aegir'), 'Ægir of 1', 'also one that is no ligature';
    is names('éléonore'), "Ele\x{301}onore of 1", 'a decomposed letter equals a composed one';
    is names('zerowidth'), "Zero\x{200D}width of 1", 'what can not be seen does not matter';
    is list($roster, "\x{301}")->{total}, list($plain, "\x{301}")->{total}, 'a query without letters is SQL\'s';
};

# ---- Statements ----

for my $path (
    '/users/', '/users/?page=2',
    '/users/?query=example.org', '/users/search?query=p1',
    '/users/?order_by=name&page=3', '/users/?order_by=created_at&direction=asc&query=a')
{
    my ($least) = sort { $a <=> $b } map { statements($path) } 1 .. 3;
    cmp_ok $least, '<=', 3, "$path: at most three statements";
}

# ---- Workers that die ----

subtest 'workers that die' => sub {
    my ($round, $wrong) = (0, 0);
    my @ids = map { $roster->add_user(name => "Person $_", created_at => 3)->{id} } 1 .. 5;
    my $until = time + 6;
    while (time < $until) {
        my $name = "Mortal " . ++$round;
        $roster->sql('UPDATE user SET name = ? WHERE id = ?', $name, $ids[$round % @ids]);
        my @workers = $roster->workers('directory');
        my $victim = in_background(sub {
            Time::HiRes::sleep(rand 0.004);
            kill 'KILL', $workers[rand @workers] if @workers;
            return '';
        });
        my $found = names($name);
        $victim->();
        # Whose worker dies gets no answer; nobody gets a wrong one.
        $wrong++ if $found !~ /^(?:$name of 1|5\d\d)$/ && $found !~ /^$name(?:\d*, |\d* of )/;
    }
    cmp_ok $round, '>', 20, "$round of them";
    is $wrong, 0, 'no search misses what was just changed';
    ok is_ready($roster), 'the directory is there again';
    is names("Mortal $round"), "Mortal $round of 1", 'and right';
    $roster->allow_log(qr/\[alert\].*killed by signal 9/);
};

# ---- Another size ----

subtest 'too small' => sub {
    my $small = over_the_same($roster, directory_size => '1M');
    ok is_ready($small), 'a megabyte is enough for some thousand';
    $small->stop('roster');
    $roster->sql('INSERT INTO user (id, name, email, created_at, last_active_at, changed_at) SELECT '
            . "CONCAT('many', seq), CONCAT('Many ', seq), CONCAT('many', seq, '\@example.org'), 10 + seq, $now, NULL "
            . 'FROM seq_1_to_12000');
    $small->start('roster');
    ok wait_until(30, sub { status_of($small)->{directory} eq 'full' }), 'but not for so many more';
    is list($small, 'many')->{total}, 12000, 'lists and searches are answered all the same';
    is_deeply list($small, 'many 77', order_by => 'name'), list($plain, 'many 77', order_by => 'name'), 'by SQL';
    is $small->count_log(qr/directory_size \(1048576 bytes\) has no room for more than \d+ users/), 1,
        'the log says it once';
    $small->finish;
};

# Asks from before the start on, until it is ready: how many searches were answered earlier, and how many were not right.
sub ask_until_ready ($expected) {
    my ($early, $wrong, $state) = (0, 0, '');
    while ($state ne 'ready') {
        $state = eval { status_of($roster)->{directory} } // next;
        my $got = list($roster, 'more 5999');
        next if $got->{status} != 200;
        $wrong++ if !same($got, $expected);
        $early++ if $state eq 'loading';
    }
    return ($early, $wrong);
}

subtest 'answers while it is loaded' => sub {
    $roster->stop('roster');
    $roster->sql('INSERT INTO user (id, name, email, created_at, last_active_at, changed_at) SELECT '
            . "CONCAT('more', seq), CONCAT('More ', seq), CONCAT('more', seq, '\@example.org'), 10 + seq, $now, NULL "
            . 'FROM seq_1_to_60000');
    my $expected = list($plain, 'more 5999');
    my ($early, $wrong) = (0, 0);
    for (1 .. 5) {    # a start may be over before somebody asks
        my $asked = in_background(sub { return join ' ', ask_until_ready($expected) });
        $roster->start('roster');
        ($early, $wrong) = split / /, $asked->();
        last if $early || $wrong;
        $roster->stop('roster');
    }
    cmp_ok $early, '>', 0, "$early searches came before it was ready";
    is $wrong, 0, 'all had the right answer';
    is list($roster, 'more')->{total}, 60000, 'it has everybody';
    cmp_ok status_of($roster)->{directory_bytes}, '<', 12_000_000, 'in little memory';
    like $roster->log_text, qr/the directory of \d+ users was read in \d+ ms/, 'the log says how long it took';
};

done_testing;
