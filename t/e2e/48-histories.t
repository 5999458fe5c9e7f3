# The identity table, while everything is changed: clients write and read at once, in many workers, while the watcher, Redis,
# workers and MariaDB go away and come back. Each answer has to be explained by the order of what was written
# (Roster::History): it is never older than what was written before the question was sent, nor than what anybody had read
# by then.
#
# ROSTER_TEST_SOAK=SECONDS: how long each part takes (4).
use v5.36;

use Digest::SHA ();
use Socket ();
use Test::More;
use Time::HiRes ();

use Roster;
use Roster::History;

my $seconds = $ENV{ROSTER_TEST_SOAK} || 4;
my $readers = 4;
my $victims = 200 + 40 * $seconds;    # who can be deleted

my $roster = Roster->new(
    config => {identity_cache => '1h', last_active_interval => '1h', rate_limits => 'no', restart_limit => 0},
    api => {workers => 4},
    password => {workers => 2},
    mariadb => ['--innodb-flush-log-at-trx-commit=2']);    # what is committed survives kill -9
$roster->{no_secrets}{'a long password'} = 1;
my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);

sub post ($path, $json, $who = $admin) { return $roster->post($path, $who, $json) }

# ---- Who is there ----

my %user = map { ($_ => $roster->add_user(name => 'n0', last_active_at => time)) }
    qw(status role active sessions group rosterctl key settings);
my $defaults = $roster->get('/users/default/permissions', $admin)->{json};

sub set_defaults ($bit) {
    my $permissions = {
        %$defaults,
        features => {%{$defaults->{features}}, api_keys => \1},
        sharing => {%{$defaults->{sharing}}, notes => $bit ? \1 : \0}
    };
    return post('/users/default/permissions', $permissions);
}

sub set_settings ($bit) {
    my @paths = ('/api/v1/auths', '/api/v1/users', $bit ? '/api/v1/groups' : ());
    return post(
        '/auths/admin/config',
        {
            %{$roster->settings($admin)},
            ENABLE_API_KEYS => \1,
            ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS => \1,
            API_KEYS_ALLOWED_ENDPOINTS => join ',',
            @paths
        });
}
is set_defaults(0)->{status}, 200, 'default permissions';
is set_settings(0)->{status}, 200, 'settings';
my %group =
    map { ($_ => post('/groups/create', {name => $_ eq 'name' ? 'g0' : 'x', description => ''})->{json}{id}) }
    qw(name member allows);
post("/groups/id/$group{$_}/users/add", {user_ids => [$user{group}{id}]}) for qw(name allows);
$user{$_}{key} = post('/auths/api_key', {}, $user{$_})->{json}{api_key} // die "no key\n" for keys %user;
my $named = post('/auths/api_keys', {name => 'Named'}, $user{key})->{json};

# Those who are deleted one after the other, each with an API key.
my @victims = map { {id => Roster::uuid(), key => 'sk-' . unpack 'H32', Roster::random_bytes(16)} } 0 .. $victims;
for my $victim (@victims) {
    $roster->sql(
        'INSERT INTO user (id, email, role, name, profile_image_url, last_active_at, updated_at, created_at) VALUES '
            . "(?, ?, 'user', 'Victim', '/user.png', ?, 1, 2000000)",
        $victim->{id}, "$victim->{id}\@example.org", time);
    $roster->sql(
        'INSERT INTO api_key (id, user_id, `key`, suffix, is_primary, last_used_at, created_at, updated_at) VALUES '
            . '(?, ?, ?, ?, 1, ?, 1, 1)',
        $victim->{id}, $victim->{id}, 'sha256:' . Digest::SHA::sha256_hex($victim->{key}), 'abcd', time);
}

# Token number N of who signs out of one session after the other.
sub token ($number) { return $roster->token_for($user{sessions}{id}, jti => "history-$number", iat => 1_700_000_000) }

# The same of one that another program ends, which writes to Redis alone.
sub token_elsewhere ($number) {
    return $roster->token_for($user{sessions}{id}, jti => "elsewhere-$number", iat => 1_700_000_000);
}

# ---- What is written and read ----

sub number_in ($text) { return ($text // '') =~ /^\D?(\d+)$/ ? $1 : 0 }

# What an answer's JSON says, without a parser, which would take more time than the service.
sub status_of ($json) { return $json =~ /"status_message":"(\d+)"/ ? $1 : 0 }
sub name_of ($json) { return $json =~ /"name":"n(\d+)"/ ? $1 : -1 }
sub group_name_of ($json) { return $json =~ /"name":"g(\d+)"/ ? $1 : -1 }
sub is_member ($json) { return $json =~ /"\Q$group{member}\E"/ ? 1 : 0 }
sub has_tools ($json) { return $json =~ /"workspace":\{[^}]*"tools":true/ ? 1 : 0 }
sub has_notes ($json) { return $json =~ /"sharing":\{[^}]*"notes":true/ ? 1 : 0 }

# Value and role come from one statement: they belong together.
sub role_of ($json) {
    my $number = name_of($json);
    return $json =~ ($number % 2 ? qr/"role":"pending"/ : qr/"role":"user"/) ? $number : -1;
}

# Of each register: how it is written, what SQL says of it, and by which requests it is read: who asks, the path, and
# what the answer's status or JSON means. `bit`: only whether it is odd can be read. `series`: each value is another
# token, or another person, of which can be read whether it is gone.
my %register = (
    status => {
        write => sub ($value) { post('/users/user/status/update', {status_message => "$value"}, $user{status}) },
        truth =>
            sub () { $roster->sql('SELECT COALESCE(status_message, 0) FROM user WHERE id = ?', $user{status}{id}) },
        read => [
            map {
                my $who = $_;
                [$who, "/users/$user{status}{id}", \&status_of]
            } $admin->{token},
            $user{status}{token},
            $user{status}{key}
        ]
    },
    role => {
        write => sub ($value) {
            post(
                "/users/$user{role}{id}/update",
                {
                    name => "n$value",
                    role => $value % 2 ? 'pending' : 'user',
                    email => $user{role}{email},
                    profile_image_url => '/user.png'
                });
        },
        truth => sub () { number_in(scalar $roster->sql('SELECT name FROM user WHERE id = ?', $user{role}{id})) },
        read => [[$admin->{token}, "/users/$user{role}{id}", \&role_of], [$user{role}{key}, '/auths/', \&role_of]]
    },
    active => {
        bit => 1,
        write => sub ($value) { post("/users/$user{active}{id}/" . ($value % 2 ? 'disable' : 'enable'), {}) },
        truth => sub () { $roster->sql('SELECT active = 0 FROM auth WHERE id = ?', $user{active}{id}) },
        read => [[$user{active}{key}, '/auths/', {200 => 0, 401 => 1}]]
    },
    sessions => {
        series => 1,
        write => sub ($value) { $roster->get('/auths/signout', token($value)) },
        truth => sub () {
            $roster->sql(
                q{SELECT COALESCE(MAX(CAST(SUBSTR(jti, 9) AS UNSIGNED)), 0) FROM session WHERE jti LIKE 'history-%' AND }
                    . 'revoked_at IS NOT NULL');
        },
        read => [[\&token, '/users/permissions', {200 => 0, 401 => 1}]]
    },
    elsewhere => {
        series => 1,
        write => sub ($value) {
            $roster->redis('SET', "open-webui:auth:token:elsewhere-$value:revoked", 1);
            Time::HiRes::sleep(1.05);    # so long the watcher's last sign of life may count
            return {status => 200};
        },
        truth => sub () { scalar @{$roster->redis('KEYS', 'open-webui:auth:token:elsewhere-*')} },
        read => [[\&token_elsewhere, '/users/permissions', {200 => 0, 401 => 1}]]
    },
    deleted => {
        series => 1,
        write => sub ($value) {
            my $answer = $roster->ask(DELETE => "/users/$victims[$value]{id}", $admin);
            return $answer && $answer->{status} == 400 ? {status => 200} : $answer;    # by an attempt before
        },
        truth => sub () {
            my %left = map { ($_->[0] => 1) } $roster->sql('SELECT id FROM user WHERE created_at = 2000000');
            return scalar(grep { !$left{$victims[$_]{id}} } 1 .. $#victims);
        },
        read => [
            [$admin->{token}, sub ($value) { "/users/$victims[$value]{id}" }, {200 => 0, 400 => 1}],
            [sub ($value) { $victims[$value]{key} }, '/users/permissions', {200 => 0, 401 => 1}]
        ]
    },
    group => {
        write => sub ($value) {
            post("/groups/id/$group{name}/update", {name => "g$value", description => ''});
        },
        truth => sub () { number_in(scalar $roster->sql('SELECT name FROM `group` WHERE id = ?', $group{name})) },
        read => [map { [$_, "/users/$user{group}{id}", \&group_name_of] } $admin->{token}, $user{group}{key}]
    },
    member => {
        bit => 1,
        write => sub ($value) {
            post("/groups/id/$group{member}/users/" . ($value % 2 ? 'add' : 'remove'),
                {user_ids => [$user{group}{id}]});
        },
        truth => sub () { $roster->sql('SELECT COUNT(*) FROM group_member WHERE group_id = ?', $group{member}) },
        read => [[$admin->{token}, "/users/$user{group}{id}", \&is_member]]
    },
    allows => {
        bit => 1,
        write => sub ($value) {
            post("/groups/id/$group{allows}/update",
                {name => 'A', description => '', permissions => {workspace => {tools => $value % 2 ? \1 : \0}}});
        },
        truth => sub () {
            $roster->sql(q{SELECT JSON_VALUE(permissions, '$.workspace.tools') = 1 FROM `group` WHERE id = ?},
                $group{allows});
        },
        read =>
            [[$user{group}{token}, '/users/permissions', \&has_tools], [$user{group}{token}, '/auths/', \&has_tools]]
    },
    defaults => {
        bit => 1,
        write => sub ($value) { set_defaults($value % 2) },
        truth => sub () {
            $roster->sql(
                q{SELECT JSON_VALUE(data, '$.user.permissions.sharing.notes') = 1 FROM config ORDER BY id DESC LIMIT 1}
            );
        },
        read => [[$user{group}{token}, '/users/permissions', \&has_notes]]
    },
    settings => {
        bit => 1,
        write => sub ($value) { set_settings($value % 2) },
        truth => sub () { $roster->sql(q{SELECT data LIKE '%/api/v1/groups%' FROM config ORDER BY id DESC LIMIT 1}) },
        read => [[$user{settings}{key}, '/groups/', {200 => 1, 403 => 0}]]
    },
    key => {
        bit => 1,
        write => sub ($value) {
            post("/auths/api_keys/$named->{id}", {routes => $value % 2 ? ['/api/v1/groups'] : undef}, $user{key});
        },
        truth => sub () { $roster->sql('SELECT routes IS NOT NULL FROM api_key WHERE id = ?', $named->{id}) },
        read => [[$named->{api_key}, '/auths/', {200 => 0, 403 => 1}]]
    },
    rosterctl => {
        write => sub ($value) {
            my ($status) = $roster->rosterctl('user', 'set', $user{rosterctl}{id}, '--name', "n$value");
            return {status => $status ? 500 : 200};
        },
        truth => sub () { number_in(scalar $roster->sql('SELECT name FROM user WHERE id = ?', $user{rosterctl}{id})) },
        read => [
            [$admin->{token}, "/users/$user{rosterctl}{id}", \&name_of], [$user{rosterctl}{key}, '/auths/', \&name_of]
        ]
    },);
my @taking_part = sort keys %register;
my $history = Roster::History->new("$roster->{directory}/history", registers => \@taking_part, clients => $readers);

# ---- Clients ----

# What is asked for in vain while services go away.
sub try ($code) {
    return eval { $code->() }
}

# SQL that may fail while MariaDB is away: undef then.
sub try_sql_of ($code) {
    my $value = try($code);
    $roster->disconnect if !defined $value;
    return $value;
}

sub try_sql ($statement) {
    return try_sql_of(sub { $roster->sql($statement) });
}

# Whoever wrote without an answer does not go on before the server has carried it out, or given it up: what it was doing
# when this is called, it does not do any more.
sub settle () {
    my $busy = q{user = 'roster' AND command <> 'Sleep'};
    my $ids;
    my $list = "SELECT COALESCE(GROUP_CONCAT(id), '') FROM information_schema.processlist WHERE $busy";
    wait_until(20, sub { defined($ids = try_sql($list)) });
    for my $id (split /,/, $ids // '') {
        my $count = "SELECT COUNT(*) FROM information_schema.processlist WHERE $busy AND id = $id";
        wait_until(20, sub { my $left = try_sql($count); defined $left && !$left });
    }
    return;
}

# Writes one value after the other until $end. Gives how often nobody knew whether it was written.
sub write_until ($name, $end) {
    my $register = $register{$name};
    my $unknown = 0;
    for (my $value = $history->last_of($name) + 1; Time::HiRes::time() < $end; $value++) {
        last if $name eq 'deleted' && $value >= $#victims;
        $history->begin($name, $value);
        until (((try(sub { $register->{write}->($value) }) // {})->{status} // 0) == 200) {
            $unknown++;
            return $unknown if Time::HiRes::time() > $end + 60;
            settle();
            Time::HiRes::sleep(rand 0.3);    # others may see now what was carried out
        }
        $history->end($name, $value);
        Time::HiRes::sleep(rand 0.1);
    }
    return $unknown;
}

# GET, past nginx and with no library's help, so that readings take the workers' time and not the readers'. The answer
# as it came; '' where there was none.
sub fetch ($path, $who) {
    state %bytes;
    $bytes{"$who $path"} //= Roster::Fastcgi::compose(
        [
            REQUEST_METHOD => 'GET',
            REQUEST_URI => "/api/v1$path",
            QUERY_STRING => '',
            CONTENT_LENGTH => '',
            REMOTE_ADDR => '127.0.0.1',
            SERVER_PROTOCOL => 'HTTP/1.1',
            REQUEST_SCHEME => 'http',
            HTTP_HOST => 'roster.example.org',
            HTTP_AUTHORIZATION => "Bearer $who"
        ],
        '');
    local $SIG{PIPE} = 'IGNORE';
    my $text = '';
    socket my $socket, Socket::PF_UNIX(), Socket::SOCK_STREAM(), 0 or return '';
    connect $socket, Socket::sockaddr_un($roster->socket_path($path eq '/groups/' ? 'directory' : 'api')) or return '';
    defined syswrite $socket, $bytes{"$who $path"} or return '';
    1 while sysread $socket, $text, 65536, length $text;
    return $text;
}

# What an answer says, as of a reading's third part; undef: nothing.
sub value_of ($answer, $meaning) {
    my $status = $answer =~ /Status: (\d+)/ ? $1 : $answer eq '' ? 0 : 200;
    return $meaning->{$status} if ref $meaning eq 'HASH';
    return $status == 200 ? $meaning->($answer) : undef;
}

# One reading of a register, by SQL now and then, which sees what is there; else by a request. Gives the value, or undef
# and the reason.
sub read_once ($name, $reading) {
    my $register = $register{$name};
    if (rand() < 0.15) {
        return (try_sql_of($register->{truth}), 'no SQL');
    }
    my ($who, $path, $meaning) = @{$register->{read}[rand @{$register->{read}}]};
    my $number = $register->{series} ? $reading->{low} + int rand 2 : 0;
    return (0) if $register->{series} && !$number;
    $who = $who->($number) if ref $who;
    $path = $path->($number) if ref $path;
    my $answer = fetch($path, $who);
    my $value = value_of($answer, $meaning);
    $value = $value ? $number : $number - 1 if defined $value && $register->{series};
    return ($value, ($answer =~ /Status: (\d+)/ ? $1 : 'no answer') . " for $path");
}

# Reads until $end, each register some times in a row, so that what it has made workers keep is asked for again: how
# often, why in vain, and what cannot be explained.
sub read_until ($client, $end) {
    my ($good, %vain, @faults) = (0);
    while (Time::HiRes::time() < $end && @faults < 5) {
        my $name = $taking_part[rand @taking_part];
        for (1 .. 8) {
            my $reading = $history->ask($client, $name);
            my ($value, $reason) = read_once($name, $reading);
            if (!defined $value) {
                $vain{"$name: $reason"}++;
                next;
            }
            my $fault =
                  $register{$name}{bit}
                ? $history->answered_bit($reading, $value)
                : $history->answered($reading, $value);
            $good++;
            push @faults, "$fault ($reason, client $client)" if defined $fault;
        }
    }
    return ($good, \%vain, @faults);
}

# All of them for some seconds, while $disturb, if any, is called again and again. A test of what they read.
sub part ($name, $disturb) {
    subtest $name => sub {
        my $json = JSON::PP->new->utf8;
        my $end = Time::HiRes::time() + $seconds;
        my %before = map { ($_ => $history->count_of_writes($_)) } @taking_part;
        my @clients = (
            map({
                    my $register = $_;
                    sub { write_until($register, $end) }
            } @taking_part),
            map({
                    my $client = $_;
                    sub { read_until($client, $end + 0.5) }
            } 0 .. $readers - 1));
        my @running = map {
            my $client = $_;
            in_background(sub { $json->encode([$client->()]) })
        } @clients;
        my $times = 0;
        for (; $disturb && Time::HiRes::time() < $end; $times++) { $disturb->() }
        my @results = map {
            my $text = $_->();
            eval { $json->decode($text) } // [0, {}, $text]
        } @running;
        my @read = splice @results, -$readers;
        my ($good, $unknown, %vain) = (0, 0);
        for my $read (@read) {
            $good += $read->[0];
            $vain{$_} += $read->[1]{$_} for keys %{$read->[1]};
        }
        my $vain = join ', ', map { "$vain{$_} × $_" } sort keys %vain;
        for (@results) { $unknown += $_->[0] }
        my @faults = map { @$_[2 .. $#$_] } @read, @results;
        is "@faults", '', 'each answer is explained' or diag join "\n", @faults;
        cmp_ok $good, '>', 20 * $seconds, "$good readings";
        is $vain, '', 'each is answered' if !$disturb;
        is $unknown, 0, 'each write is answered' if !$disturb;
        note "in vain: $vain; $unknown writes without an answer, disturbed $times times";
        for my $register (@taking_part) {
            my $writes = $history->count_of_writes($register) - $before{$register};
            note "$register: $writes writes";
            my $last = $history->last_of($register);
            is $register{$register}{truth}->(), $register{$register}{bit} ? $last % 2 : $last,
                "$register: it is as it was written last";
        }
    };
    return;
}

# ---- What happens meanwhile ----

sub a_worker () {
    my @pids = $roster->workers('api');
    return $pids[rand @pids];
}

part('nothing happens', undef);

# Longer than its last sign of life may count, so that nobody may use the table at the end.
part(
    'the watcher is stopped and killed',
    sub {
        state $kills = 0;
        my $pid = $roster->watcher or return Time::HiRes::sleep(0.1);
        kill 'STOP', $pid;
        Time::HiRes::sleep(2.2);
        kill $kills++ % 2 ? 'CONT' : 'KILL', $pid;
        Time::HiRes::sleep(0.5 + rand 0.5);
    });

part(
    'workers are stopped for a moment',
    sub {
        my $pid = a_worker() or return;
        kill 'STOP', $pid;
        Time::HiRes::sleep(0.02 + rand 0.05);
        kill 'CONT', $pid;
        Time::HiRes::sleep(rand 0.01);
    });

# With Redis goes what other programs have written there.
@taking_part = grep { $_ ne 'elsewhere' } @taking_part;

part(
    'Redis is flushed, restarted and stopped',
    sub {
        my $what = int rand 3;
        if ($what == 0) { $roster->redis('FLUSHALL') }
        elsif ($what == 1) { $roster->kill('redis'); $roster->start('redis') }
        else { $roster->pause('redis'); Time::HiRes::sleep(rand 1.5); $roster->resume('redis') }
        Time::HiRes::sleep(0.2 + rand 0.5);
    });

part(
    'workers are killed',
    sub {
        my $pid = a_worker();
        kill 'KILL', $pid if $pid;
        Time::HiRes::sleep(rand 0.3);
    });

# Rows are locked until somebody waits for them, so that a worker is surely inside a write when all are killed.
part(
    'workers are killed inside a write',
    sub {
        my $lock = Roster::Database->connect($roster->socket_path('mariadb'));
        $lock->run('START TRANSACTION');
        $lock->run(sprintf 'SELECT id FROM roster.user WHERE id IN (%s) FOR UPDATE',
            join ', ', map { "'$user{$_}{id}'" } qw(status role active key));
        $roster->wait_statement('UPDATE|INSERT|DELETE');
        kill 'KILL', $roster->workers('api') if rand > 0.2;
        Time::HiRes::sleep(0.5);
        $lock->run('COMMIT');
        $lock->disconnect;
        Time::HiRes::sleep(rand 0.2);
    });

part(
    'connections to MariaDB are closed',
    sub {
        my @ids = $roster->connections;
        eval { $roster->sql("KILL $ids[rand @ids]") } if @ids;
        Time::HiRes::sleep(rand 0.1);
    });

part(
    'MariaDB is restarted',
    sub {
        if (rand > 0.5) { $roster->kill('mariadb') }
        else { $roster->stop('mariadb') }
        $roster->start('mariadb');
        Time::HiRes::sleep(1 + rand);
    });

part(
    'the service is reloaded',
    sub {
        $roster->reload;
        Time::HiRes::sleep(rand 0.5);
    });

# A part may be too short for each kind of write; all of them together are not.
cmp_ok $history->count_of_writes($_), '>', 0, "$_ was written" for sort keys %register;

done_testing;
