# Roster::Faults: a stack under load, to which things happen. Clients, each a process, write and read all the time, and
# note each request in a ledger (Roster::Ledger). A row of Roster::Faults::Rows begins and ends a fault; what clients saw
# meanwhile is counted from the ledger, and at the end each acknowledged write is looked for.
#
#   my $faults = Roster::Faults->new(relay => 1);
#   $faults->run_row($_) for Roster::Faults::Rows::of('mariadb');
#   $faults->finish;                                             # the check of everything, as tests
#
# Options of new: clients (6), relay (MariaDB behind two relays, and ready for a replica), clock (a clock that can jump),
# disks (MariaDB and the logs on small file systems of their own, where they can be mounted), and `stack`, a hash of
# options of Roster->new.
#
# ROSTER_FAULTS=all: all rows, each for longer, with figures; else a few of them, each for a short time.
package Roster::Faults;
use v5.36;

use Fcntl ();
use JSON::PP ();
use List::Util qw(max min sum0);
use POSIX ();
use Socket ();
use Test::More ();
use Time::HiRes ();

use Roster ();
use Roster::Faults::Client;
use Roster::Ledger;
use Roster::Relay;

our $is_whole = ($ENV{ROSTER_FAULTS} // '') eq 'all';

# The share of what the machine can take that clients ask for.
my $LOAD = 0.7;

sub new ($class, %options) {
    my $self = bless {options => \%options, clients => $options{clients} // 6, figures => [], owner => $$}, $class;
    my %stack = %{$options{stack} // {}};
    my $roster = $self->{roster} = Roster->new(
        api => {workers => 4, request_timeout => '8s'},
        password => {workers => 2},
        directory => {workers => 2},
        %stack,
        config => {
            identity_cache => '1h',
            rate_limits => 'no',
            # A machine that others use, too, may let a statement wait.
            database_read_timeout => 3 * ($ENV{ROSTER_TEST_PATIENCE} || 1) . 's',
            database_connect_timeout => '2s',
            %{$stack{config} // {}}
        },
        # What is committed survives kill -9 of the server with 2: only the kernel's end takes it.
        mariadb => ['--innodb-flush-log-at-trx-commit=2', $options{relay} ? $self->binlog(1) : ()],
        start => 0);
    $roster->{no_secrets}{$_} = 1 for 'a long password';
    $self->mount_disks if $options{disks};
    $self->make_clock if $options{clock};
    $self->start_relays if $options{relay};
    $roster->start;
    # The account of a replica.
    $roster->sql("GRANT REPLICATION SLAVE ON *.* TO 'replica'\@'localhost' IDENTIFIED BY 'replica'") if $options{relay};
    $self->{ledger} = Roster::Ledger->new("$roster->{directory}/ledger");
    $self->make_people;
    $self->start_clients;
    return $self;
}

sub roster ($self) { return $self->{roster} }
sub directory ($self) { return $self->{roster}{directory} }

# ---- The stack ----

sub binlog ($self, $number) {
    return ("--server-id=$number", '--log-bin=binlog', '--binlog-format=ROW', '--sync-binlog=0',
        '--expire-logs-days=1');
}

# Two ports in the place of one server: the second one leads to a replica, where there is one.
sub start_relays ($self) {
    my $roster = $self->{roster};
    my @ports = map { Roster::free_port() } 1, 2;
    my @to = map { $roster->socket_path($_) } qw(mariadb second);
    $self->{relay} = [
        map {
            Roster::Relay->start(
                "relay$_",
                listen => {tcp => $ports[$_]},
                to => $to[$_],
                control => "$roster->{directory}/relay$_")
        } 0,
        1
    ];
    $self->{ports} = \@ports;
    $roster->{options}{config}{database_host} = "127.0.0.1:$ports[0] 127.0.0.1:$ports[1]";
    return;
}

sub relay ($self) { return $self->{relay}[0] }

sub mount_disks ($self) {
    my ($roster, $directory) = ($self->{roster}, $self->directory);
    # room for the files of a second server, too
    $self->{disk}{mariadb} = $roster->mount("$directory/mariadb", $self->{options}{disk_size} // '300m');
    $self->{disk}{log} = $roster->mount("$directory/log", $self->{options}{log_size} // '64m');
    return;
}

# Takes all room of a file system, or gives it back.
sub fill ($self, $name) { return $self->{roster}->fill($self->directory . "/$name") }
sub unfill ($self, $name) { return unlink $self->directory . "/$name/filler" }

# What was asked for is of no use at the end of hours, and takes room.
sub shorten_logs ($self) {
    truncate $self->directory . "/log/$_-access.log", 0 for qw(nginx roster);
    $self->{roster}->sql('PURGE BINARY LOGS BEFORE NOW() - INTERVAL 1 MINUTE') if $self->{relay};
    return;
}

# A library that all services load, which adds to the time of day what a file says (t/faults/clock.c).
sub make_clock ($self) {
    my $directory = $self->directory;
    my $library = "$directory/clock.so";
    my @command =
        (split(' ', $ENV{CC} // 'cc'), qw(-shared -fPIC -O1 -o), $library, "$Roster::source/t/faults/clock.c");
    $self->{no_clock} =
        Roster::Database::slurp("$Roster::build/roster") =~ /__asan_init|__tsan_init/
        ? 'a sanitizer takes no preloaded library'
        : $ENV{ROSTER_TEST_VALGRIND} ? 'valgrind has a clock of its own'
        : system(@command) != 0 ? 'no compiler makes t/faults/clock.c'
        : undef;
    return if $self->{no_clock};
    Roster::Database::write_file("$directory/clock", pack 'q', 0);
    $self->{roster}{environment} = {LD_PRELOAD => $library, ROSTER_TEST_CLOCK => "$directory/clock"};
    return;
}

# All services have another time from now on.
sub set_clock ($self, $seconds) {
    open my $out, '+<:raw', $self->directory . '/clock' or die "clock: $!\n";
    syswrite $out, pack 'q', $seconds;
    close $out;
    return;
}

# ---- Who is there ----

sub make_people ($self) {
    my $roster = $self->{roster};
    my $admin = $self->{admin} = $roster->add_user(role => 'admin', created_at => 1_000_000);
    my $defaults = $roster->get('/users/default/permissions', $admin)->{json};
    $defaults->{features}{api_keys} = \1;
    $roster->post('/users/default/permissions', $admin, $defaults);
    $roster->post('/auths/admin/config', $admin, {%{$roster->settings($admin)}, ENABLE_API_KEYS => \1});
    my $add = sub ($register, %columns) {
        my $user = $roster->add_user(last_active_at => time, %columns);
        $user->{register} = $register;
        $user->{key} = $roster->post('/auths/api_key', $user, {})->{json}{api_key} // die "no API key\n";
        return $user;
    };
    $self->{people} = {
        person => [map { $add->("person.$_", name => "Reg$_ 0", email => "reg$_.0\@example.org") } 0 .. 3],
        status => [map { $add->("status.$_") } 0 .. 1],
        active => [map { $add->("active.$_") } 0 .. 1],
        login => [map { $roster->add_user(email => "login$_\@example.org") } 0 .. $self->{clients}],
    };
    return;
}

# ---- Load ----

# What clients read before each request: how many requests a second each shall send (below 0: as many as it can; 0: it
# ends); behind it, how many each has sent.
sub control_file ($self) { return $self->directory . '/control' }

sub set_rate ($self, $rate) {
    open my $out, '+<:raw', $self->control_file or die "control: $!\n";
    syswrite $out, pack 'd', $rate;
    close $out;
    return;
}

sub sent ($self) { return unpack 'x8 Q*', Roster::Database::slurp($self->control_file) }
sub count_sent ($self) { return sum0 $self->sent }

sub start_clients ($self) {
    Roster::Database::write_file($self->control_file, pack 'd Q*', -1, (0) x $self->{clients});
    $self->{running} = [
        map {
            my $number = $_;
            Roster::Process::in_background(sub { Roster::Faults::Client->new($self, $number)->run; return '' });
        } 0 .. $self->{clients} - 1
    ];
    # Each has begun with a sign-in and an account, which take longer than all else.
    Roster::Process::wait_until(20, sub { min($self->sent) >= 8 });
    $self->regulate($is_whole ? 3 : 0.5);
    return;
}

# Finds out how much the machine takes just now, and lets clients ask for $LOAD of it.
sub regulate ($self, $seconds) {
    $self->set_rate(-1);
    my ($sent, $begin) = ($self->count_sent, Roster::Ledger::now());
    Time::HiRes::sleep($seconds);
    my $most = ($self->count_sent - $sent) / (Roster::Ledger::now() - $begin);
    $self->{most} = $most;
    $self->set_rate(max($LOAD * $most, 10) / $self->{clients});
    return $most;
}

sub stop_clients ($self) {
    my $running = delete $self->{running} or return;
    $self->set_rate(0);
    for my $wait (@$running) {
        my $text = $wait->();
        push @{$self->{broken}}, $text if $text ne '';
    }
    return;
}

# ---- A row ----

# Why a row can't be shown here; undef: it can.
sub left_out ($self, $row) {
    for my $need (@{$row->{needs} // []}) {
        return $self->{no_clock} if $need eq 'clock' && $self->{no_clock};
        return 'file systems can not be mounted here' if $need =~ /^disk (\w+)/ && !$self->{disk}{$1};
        return 'prlimit of util-linux is not there' if $need eq 'prlimit' && !prlimit();
    }
    return undef;
}

sub prlimit () {
    return (grep { -x } map { "$_/prlimit" } split /:/, $ENV{PATH})[0];
}

# Lets it happen, and gives its figures: a test.
sub run_row ($self, $row, %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    if (my $why = $self->left_out($row)) {
        Test::More::note("left out: $row->{name}: $why");
        push @{$self->{figures}}, {name => $row->{name}, left_out => $why};
        return;
    }
    my $seconds = $options{seconds} // $row->{seconds} // 1;
    $seconds = min($seconds, 0.7) if !$is_whole;
    $self->{state} = {};
    $self->{roster}->allow_log($row->{allow}) if $row->{allow};
    my $step = sub ($what) {
        eval { $row->{$what}->($self) if $row->{$what}; 1 } || Test::More::fail("$row->{name}: $what: $@");
    };
    $step->('prepare');
    my $begin = Roster::Ledger::now();
    $step->('begin');
    Time::HiRes::sleep($seconds);
    $step->('end');
    my $end = Roster::Ledger::now();
    my $recovered = $self->wait_recovery;
    Time::HiRes::sleep($options{quiet} // ($is_whole ? 2 : 0.3));
    my $until = Roster::Ledger::now();
    $step->('after');
    push @{$self->{figures}},
        {
        name => $row->{name},
        begin => $begin,
        end => $end,
        until => $until,
        next => Roster::Ledger::now(),
        recovered => $recovered ? 1 : 0,
        may => $row->{may} // []
        };
    Test::More::ok($recovered, "$row->{name}: all is well again by itself")
        || Test::More::diag(map { $self->{roster}->log_tail($_) } qw(roster-error mariadb));
    return;
}

# Until a reading, a list, a write and a sign-in are done, each pool has its workers, and none has been at one request
# for long.
sub wait_recovery ($self) {
    return Roster::Process::wait_until(
        20,
        sub {
            eval { $self->is_well }
        });
}

sub is_well ($self) {
    my ($roster, $admin) = @$self{qw(roster admin)};
    my $login = $self->{people}{login}[-1];
    my $is_200 = sub ($answer) { $answer && $answer->{status} == 200 };
    return
           $is_200->($roster->get("/users/$admin->{id}", $admin))
        && $is_200->($roster->get('/ready'))
        && $is_200->($roster->get('/users/?query=login', $admin))
        && $is_200->($roster->post('/users/user/info/update', $admin, {well => 1}))
        && $is_200->($roster->sign_in($login))
        && $self->workers_are_well;
}

sub workers_are_well ($self) {
    my $status = $self->{roster}->status or return 0;
    my %count;
    for my $worker (@{$status->{workers}}) {
        return 0 if $worker->{microseconds} > 4_000_000;
        $count{$worker->{pool}}++ if $worker->{state} eq 'idle' || $worker->{state} eq 'busy';
    }
    my $options = $self->{roster}{options};
    return !grep { ($count{$_} // 0) < ($options->{$_}{workers} // 1) } @Roster::POOLS;
}

# ---- The end ----

# What is there, as the last reading of each register.
sub note_truth ($self) {
    my $roster = $self->{roster};
    my $now = Roster::Ledger::now();
    my $note = sub ($register, $value) {
        $self->{ledger}->note('R', $register, $value, $now, $now, 200, 'truth');
    };
    for my $user (map { @{$self->{people}{$_}} } qw(person status active)) {
        my ($row) = $roster->rows(
            'SELECT name, u.email, role, COALESCE(status_message, 0) AS status, active, a.email AS other FROM user u '
                . 'JOIN auth a USING (id) WHERE id = ?',
            $user->{id});
        if (!$row) { $note->($user->{register}, 'missing'); next }
        my $value =
              $user->{register} =~ /^status/ ? $row->{status}
            : $user->{register} =~ /^person/ ? Roster::Faults::Client::person_value($user, @$row{qw(name email role)})
            : undef;
        if (defined $value) { $note->($user->{register}, $value) }
        elsif ($user->{register} =~ /^active/) {
            $self->{ledger}->note('P', $user->{register}, 1 - $row->{active}, $now, $now, 200, 'truth');
        }
        $self->half("$user->{register}: $row->{name}, $row->{email}, $row->{role}, $row->{other}")
            if $row->{other} ne $row->{email} || $user->{register} =~ /^person/ && !defined $value;
    }
    return;
}

sub half ($self, $text, $at = 0) { push @{$self->{half}}, {kind => 'half', text => $text, at => $at}; return }

# The registers of which there are many: sessions and accounts.
sub note_truth_of_many ($self, $history) {
    my $roster = $self->{roster};
    my $now = Roster::Ledger::now();
    my %begun;
    for my $line (grep { $_->[0] eq 'W' } @$history) {
        $begun{$line->[1]}{$line->[2]} = 1;
    }
    my %session = map { ($_->[0] => defined $_->[1] ? 2 : 1) } $roster->sql('SELECT jti, revoked_at FROM session');
    my %account = map { ($_->[0] => $_->[1]) }
        $roster->sql('SELECT u.email, a.id FROM user u LEFT JOIN auth a ON a.id = u.id AND a.email = u.email');
    my @lines;
    for my $register (sort keys %begun) {
        my $value;
        if ($register =~ /^session\.(.+)/) { $value = $session{$1} // 0 }
        elsif ($register =~ /^account\.(.+)/) {
            $value = exists $account{$1} ? 1 : $begun{$register}{2} ? 2 : 0;
            $self->half("$register has no row in auth") if exists $account{$1} && !defined $account{$1};
        }
        push @lines, ['R', $register, $value, $now, $now, 200, 'truth'] if defined $value;
    }
    my $orphans = $roster->sql('SELECT COUNT(*) FROM auth a LEFT JOIN user u USING (id) WHERE u.id IS NULL');
    $self->half("$orphans rows of auth have no user") if $orphans;
    return @lines;
}

# The audit tells each change of a person, with what was there before: an unbroken chain, in which each acknowledged
# write stands once, and of each change all three parts.
sub check_audit ($self, $history) {
    my $roster = $self->{roster};
    my $json = JSON::PP->new;
    for my $user (@{$self->{people}{person}}) {
        my (%change, @order);
        for my $row ($roster->rows(
            'SELECT action, request_id, detail, personal FROM audit WHERE subject_id = ? AND action IN '
                . q{('role_change', 'email_change', 'user_change') ORDER BY id},
            $user->{id}))
        {
            my %told = map { defined ? %{$json->decode($_)} : () } @$row{qw(detail personal)};
            push @order, $row->{request_id} if !$change{$row->{request_id}};
            $change{$row->{request_id}}{$_} = $told{$_} for keys %told;
        }
        my ($name, $email, $role) = ($user->{name}, $user->{email}, 'user');
        my %seen;
        for my $request (@order) {
            my $change = $change{$request};
            my $to = $change->{name}{to} // 'nothing';
            my ($new) = $to =~ / (\w+)$/;
            $self->half("$user->{register}: the audit of $to comes behind $name, and not $change->{name}{from}")
                if ($change->{name}{from} // '') ne $name || ($change->{email}{from} // '') ne $email;
            my $new_role = $change->{role} ? $change->{role}{to} : $role;
            $self->half("$user->{register}: the audit of $to is not whole")
                if !defined Roster::Faults::Client::person_value($user, $to, $change->{email}{to} // '', $new_role);
            $self->half("$user->{register}: $to was done twice") if $seen{$new // ''}++;
            ($name, $email, $role) = ($to, $change->{email}{to} // '', $new_role);
        }
        for my $line (grep { $_->[0] eq 'W' && $_->[1] eq $user->{register} && $_->[5] == 200 } @$history) {
            $self->half("$user->{register}: $line->[2] was acknowledged, and the audit does not know it", $line->[4])
                if !$seen{$line->[2]};
        }
    }
    return;
}

# Stops the load, and checks: tests. The stack goes on; done_testing ends it.
sub finish ($self) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $self->stop_clients;
    Test::More::is(join("\n", @{$self->{broken} // []}), '', 'the clients ran to their end');
    my $is_free = $self->{is_free} = $self->no_worker_stuck;
    Test::More::ok($is_free, 'no worker is stuck') || Test::More::diag(explain($self->{roster}->status));
    $self->note_truth;
    my $history = $self->{history} = Roster::Ledger::read_all($self->{ledger}{directory});
    push @$history, $self->note_truth_of_many($history);
    $self->check_audit($history);
    $self->half("$_->[1]: $_->[2]", $_->[4]) for grep { $_->[0] eq 'H' } @$history;
    my @faults = Roster::Ledger::check($history);
    my %texts = (lost => [], stale => [], half => []);
    push @{$texts{$_->{kind}}}, $_->{text} for @faults, @{$self->{half} // []};
    $self->{texts} = \%texts;
    $self->figure($_, $history, [@faults, @{$self->{half} // []}]) for grep { !$_->{left_out} } @{$self->{figures}};
    my $none = sub ($name, @texts) {
        Test::More::ok(!@texts, $name) || Test::More::diag(join "\n", @texts[0 .. min(19, $#texts)]);
    };
    $none->('no acknowledged write is lost', @{$texts{lost}});
    $none->('no answer is stale', @{$texts{stale}});
    $none->('no request is half done', @{$texts{half}});
    $self->judge($_) for grep { !$_->{left_out} } @{$self->{figures}};
    $self->add_up($history);
    Test::More::cmp_ok($self->{total}{acknowledged}, '>', 0, "$self->{total}{acknowledged} writes were acknowledged");
    return;
}

# How much there was, of all: what was not acknowledged may have been done all the same.
sub add_up ($self, $history) {
    my %total = map { ($_ => 0) } qw(acknowledged readings unknown done);
    my %seen = map { ("$_->[1] $_->[2]" => 1) } grep { $_->[0] eq 'R' } @$history;
    for my $line (@$history) {
        my ($what, $register, $value, undef, undef, $status) = @$line;
        if ($what eq 'W' && $status == 200) { $total{acknowledged}++ }
        elsif ($what eq 'W') { $total{unknown}++; $total{done}++ if $seen{"$register $value"} }
        elsif ($what ne '-') { $total{readings}++ }
    }
    $self->{total} = \%total;
    return;
}

sub explain ($data) { return JSON::PP->new->pretty->canonical->encode($data // {}) }

sub no_worker_stuck ($self) {
    return Roster::Process::wait_until(
        10,
        sub {
            my $status = eval { $self->{roster}->status } or return 0;
            return !grep { $_->{state} eq 'busy' && $_->{pool} ne 'status' } @{$status->{workers}};
        });
}

# What clients saw in a row's time.
sub figure ($self, $figure, $history, $faults) {
    my ($good, $longest, $recovery, %status) = (0, 0, 0);
    for my $line (@$history) {
        my ($what, undef, undef, $begin, $end, $status, $kind) = @$line;
        next if $end < $figure->{begin} || $end > $figure->{until} || $kind eq 'truth';
        my $is_good = $what eq 'W' ? $status == 200 : $what ne '-';
        if ($is_good) { $good++ }
        else { $status{$Roster::Faults::Client::WORD{$status} // $status}++ }
        $longest = $end - $begin if $end - $begin > $longest;
        $recovery = $end - $figure->{end}
            if $end > $figure->{end} && $end - $figure->{end} > $recovery && (!$is_good || $begin < $figure->{end});
    }
    my $within = sub ($kind) {
        scalar grep { $_->{kind} eq $kind && $_->{at} >= $figure->{begin} && $_->{at} <= $figure->{next} } @$faults;
    };
    @$figure{qw(times good longest recovery status)} = (1, $good, $longest, $recovery, \%status);
    $figure->{$_} = $within->($_) for qw(lost stale half);
    return;
}

sub judge ($self, $figure) {
    my %may = map { ($_ => 1) } @{$figure->{may}};
    my @others = grep { !$may{$_} } sort keys %{$figure->{status}};
    Test::More::is("@others", '',
        "$figure->{name}: no answer but what may be (" . (join(', ', @{$figure->{may}}) || 'all are as usual') . ')');
    Test::More::cmp_ok($figure->{good}, '>', 0, "$figure->{name}: clients are served");
    return if !$is_whole;
    my $patience = $ENV{ROSTER_TEST_PATIENCE} || 1;
    Test::More::cmp_ok(
        $figure->{recovery}, '<=',
        5 * $patience,
        "$figure->{name}: all is well within 5 s (times $patience)");
    return;
}

# The figures of rows of the same name, as one: the sum, or what was worst.
sub together ($self) {
    my (@rows, %row);
    for my $figure (@{$self->{figures}}) {
        my $row = $row{$figure->{name}};
        if (!$row) { push @rows, $row{$figure->{name}} = {%$figure, status => {%{$figure->{status} // {}}}}; next }
        next if $figure->{left_out};
        $row->{$_} += $figure->{$_} for qw(times good lost stale half);
        $row->{$_} = max($row->{$_}, $figure->{$_}) for qw(longest recovery);
        $row->{status}{$_} += $figure->{status}{$_} for keys %{$figure->{status}};
    }
    return @rows;
}

# The table, as lines.
sub table ($self) {
    my @lines = sprintf '%-62s %5s %7s %-26s %8s %4s %5s %4s %8s', 'fault', 'times', 'good', 'other answers', 'longest',
        'lost', 'stale', 'half', 'recovery';
    for my $row ($self->together) {
        if ($row->{left_out}) { push @lines, sprintf '%-62s left out: %s', @$row{qw(name left_out)}; next }
        my $others = join ' ', map { "$_:$row->{status}{$_}" } sort keys %{$row->{status}};
        push @lines, sprintf '%-62s %5d %7d %-26s %6.2f s %4d %5d %4d %6.2f s', @$row{qw(name times good)},
            $others || '-', @$row{qw(longest lost stale half recovery)};
    }
    my $total = $self->{total};
    push @lines,
        sprintf 'In all: %d writes acknowledged, %d readings; %d lost, %d stale, %d half done; %s worker stuck; of '
        . '%d writes without an answer of success at least %d were done.', @$total{qw(acknowledged readings)},
        map({ scalar @{$self->{texts}{$_}} } qw(lost stale half)), $self->{is_free} ? 'no' : 'a',
        @$total{qw(unknown done)};
    return @lines;
}

# As comments of the test; the file that ROSTER_FAULTS_TABLE names gets it, too.
sub show_table ($self) {
    my @lines = $self->table;
    print {Test::More->builder->output} map { "# $_\n" } @lines;
    if (my $file = $ENV{ROSTER_FAULTS_TABLE}) {
        open my $out, '>>', $file or die "$file: $!\n";
        print {$out} map { "$_\n" } @lines, '';
        close $out;
    }
    return;
}

# What stays of it outside of the stack's directory.
sub discard ($self) {
    return if $self->{owner} != $$;
    $self->set_rate(0) if -e $self->control_file;
    $_->stop for splice @{$self->{relay} // []};
    return;
}

1;
