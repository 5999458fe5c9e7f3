# Roster::Faults::Client: one of the clients of Roster::Faults. It asks for one thing after the other, at the rate that it
# is told, through nginx, with a connection for each; whatever happens, it notes it, and goes on.
#
# Registers (Roster::Ledger), and how they are written and read:
#
#   person.N    name, email and role of somebody, changed together by many clients: "Reg1 w2x7", reg1.w2x7@example.org,
#               pending where the last digit is odd. Read by an administrator, by a list, by a search, and by the
#               person's key
#   status.N    the status message of somebody, written by the person's key
#   active.N    disabled (odd) or enabled (even), by one client; the person's key is good or not
#   session.JTI 1: signed in, 2: signed out; is the token good
#   account.X   1: added, 2: deleted
package Roster::Faults::Client;
use v5.36;

use Errno ();
use JSON::PP ();
use MIME::Base64 ();
use Socket ();
use Time::HiRes ();

use Roster::Http;
use Roster::Ledger;

# Statuses of requests without an answer.
our %WORD = (0 => 'refused', 1 => 'closed', 2 => 'cut', 3 => 'late');
my ($REFUSED, $CLOSED, $CUT, $LATE) = 0 .. 3;

# How long a client waits.
my $PATIENCE = 60;

my $json = JSON::PP->new->utf8;

# What is done how often, of a hundred.
my @ACTIONS = (
    [34, 'read_person'],
    [12, 'write_person'],
    [8, 'read_status'],
    [8, 'write_status'],
    [8, 'read_active'],
    [8, 'write_active'],
    [14, 'use_session'],
    [8, 'use_account']);

sub new ($class, $faults, $number) {
    my $self = bless {
        roster => $faults->{roster},
        ledger => $faults->{ledger},
        people => $faults->{people},
        admin => $faults->{admin}{token},
        number => $number,
        address => Socket::pack_sockaddr_un($faults->{roster}->socket_path('http')),
        count => 0,
        sessions => [],
        accounts => [],
    }, $class;
    open $self->{control}, '+<:raw', $faults->control_file or die "control: $!\n";
    return $self;
}

sub run ($self) {
    srand($$ * 100 + $self->{number});
    local $SIG{PIPE} = 'IGNORE';
    my $next = Roster::Ledger::now();
    while (1) {
        sysseek $self->{control}, 0, 0;
        sysread $self->{control}, my $bytes, 8;
        my $rate = unpack 'd', $bytes;
        last if $rate == 0;
        my $dice = rand 100;
        for my $action (@ACTIONS) {
            next if ($dice -= $action->[0]) >= 0;
            my $method = $action->[1];
            $self->$method;
            last;
        }
        sysseek $self->{control}, 8 + 8 * $self->{number}, 0;
        syswrite $self->{control}, pack 'Q', $self->{count};
        next if $rate < 0;
        my $now = Roster::Ledger::now();
        $next += 1 / $rate;
        if ($next > $now) { Time::HiRes::sleep($next - $now) }
        else { $next = $now }    # what could not be asked for in its time is not asked for later
    }
    return;
}

# ---- Requests ----

# One request: status, body, begin, end.
sub ask ($self, $method, $target, $token, $data = undef) {
    my $bytes = "PROXY TCP4 192.0.2.$self->{number} 127.0.0.1 50000 80\r\n"
        . Roster::Http::compose($method, $target, token => $token, defined $data ? (json => $data) : ());
    $self->{count}++;
    my $begin = Roster::Ledger::now();
    my ($status, $body) = $self->exchange($bytes);
    return ($status, $body, $begin, Roster::Ledger::now());
}

sub exchange ($self, $bytes) {
    socket my $socket, Socket::PF_UNIX(), Socket::SOCK_STREAM(), 0 or return ($REFUSED, '');
    my $patience = pack 'l!l!', $PATIENCE, 0;
    setsockopt $socket, Socket::SOL_SOCKET(), $_, $patience for Socket::SO_RCVTIMEO(), Socket::SO_SNDTIMEO();
    connect $socket, $self->{address} or return ($REFUSED, '');
    syswrite $socket, $bytes;
    my $received = '';
    while (1) {
        my $count = sysread $socket, $received, 65536, length $received;
        return ($LATE, '') if !defined $count && $!{EAGAIN};
        last if !$count;
    }
    my ($status) = $received =~ m{^HTTP/1\.1 (\d{3}) } or return ($CLOSED, '');
    my ($head, $body) = split /\r\n\r\n/, $received, 2;
    return ($CUT, '') if !defined $body;
    if ($head =~ /^Transfer-Encoding: chunked/mi) {
        return ($CUT, '') if $body !~ /(?:^|\r\n)0\r\n\r\n$/;
    }
    elsif ($head =~ /^Content-Length: (\d+)/mi) {
        return ($CUT, '') if length $body < $1;
    }
    return ($status, $body);
}

# A write of this value, and its answer.
sub write ($self, $kind, $register, $value, @request) {
    my ($status, $body, $begin, $end) = $self->ask(@request);
    $self->{ledger}->note('W', $register, $value, $begin, $end, $status, $kind);
    return ($status, $body);
}

# A reading. $meaning->($status, $body) gives what is noted: (R, value), or nothing where it tells nothing.
sub read ($self, $kind, $register, $meaning, @request) {
    my ($status, $body, $begin, $end) = $self->ask(@request);
    my ($what, $value) = $meaning->($status, $body);
    $self->{ledger}->note($what // '-', $register, $value // '', $begin, $end, $status, $kind);
    return;
}

sub one_of (@list) { return $list[rand @list] }

sub next_value ($self) { return "w$self->{number}x" . ++$self->{values} }

# ---- Somebody's name, email and role ----

sub role_of ($value) { return $value =~ /[13579]$/ ? 'pending' : 'user' }

# The value that all three have; undef where they do not belong together.
sub person_value ($user, $name, $email, $role) {
    my ($number) = $user->{register} =~ /(\d+)$/;
    my ($value) = $name =~ /^Reg$number (\w+)$/ or return undef;
    return $email eq "reg$number.$value\@example.org" && $role eq role_of($value) ? $value : undef;
}

# The same of an object in an answer.
sub person_in ($user, $text) {
    my %field = $text =~ /"(name|email|role)":"([^"]*)"/g;
    my $value = person_value($user, map { $field{$_} // '' } qw(name email role));
    return defined $value ? (R => $value) : (H => "$text" =~ s/\s+/ /gr);
}

sub read_person ($self) {
    my $user = one_of(@{$self->{people}{person}});
    my ($register, $id) = @$user{qw(register id)};
    my ($number) = $register =~ /(\d+)$/;
    my $dice = rand;
    if ($dice < 0.4) {
        my $take = sub ($status, $body) { $status == 200 ? person_in($user, $body =~ s/,"groups".*//sr) : () };
        $self->read('user_get', $register, $take, GET => "/users/$id", $self->{admin});
    }
    elsif ($dice < 0.7) {
        my $take = sub ($status, $body) { $status == 200 ? person_in($user, $body =~ s/,"permissions".*//sr) : () };
        $self->read('session', $register, $take, GET => '/auths/', $user->{key});
    }
    elsif ($dice < 0.85) {
        my $take = sub ($status, $body) {
            return () if $status != 200;
            return $body =~ /(\{"id":"\Q$id\E"[^{}]*)/ ? person_in($user, $1) : (R => 'nobody');
        };
        $self->read('users', $register, $take, GET => "/users/?query=reg$number", $self->{admin});
    }
    else {
        # Is who has the name that was seen last found by it?
        my $value = $self->{seen}{$register} // return;
        my $take = sub ($status, $body) {
            return () if $status != 200;
            return $body =~ /(\{"id":"\Q$id\E"[^{}]*)/ ? person_in($user, $1) : (N => $value);
        };
        $self->read('user_search', $register, $take, GET => "/users/search?query=Reg$number%20$value", $self->{admin});
    }
    return;
}

sub write_person ($self) {
    my $user = one_of(@{$self->{people}{person}});
    my ($number) = $user->{register} =~ /(\d+)$/;
    my $value = $self->next_value;
    my %body = (
        name => "Reg$number $value",
        email => "reg$number.$value\@example.org",
        role => role_of($value),
        profile_image_url => '/user.png');
    my ($status) = $self->write(
        'user_update', $user->{register}, $value,
        POST => "/users/$user->{id}/update",
        $self->{admin}, \%body);
    $self->{seen}{$user->{register}} = $value if $status == 200;
    return;
}

# ---- Status, active ----

sub read_status ($self) {
    my $user = one_of(@{$self->{people}{status}});
    my $take = sub ($status, $body) { $status == 200 ? (R => $body =~ /"status_message":"(\w+)"/ ? $1 : 0) : () };
    $self->read(
        'user_get', $user->{register}, $take,
        GET => "/users/$user->{id}",
        one_of($self->{admin}, $user->{key}));
    return;
}

sub write_status ($self) {
    my $user = one_of(@{$self->{people}{status}});
    my $value = $self->next_value;
    $self->write(
        'status_set', $user->{register}, $value,
        POST => '/users/user/status/update',
        $user->{key}, {status_message => $value});
    return;
}

sub read_active ($self) {
    my $user = one_of(@{$self->{people}{active}});
    my $take = sub ($status, $body) { $status == 200 ? (P => 0) : $status == 401 ? (P => 1) : () };
    $self->read('session', $user->{register}, $take, GET => '/auths/', $user->{key});
    return;
}

# Each of them has one client. What was not acknowledged is written again.
sub write_active ($self) {
    my $user = $self->{people}{active}[$self->{number}] // return $self->read_active;
    my $value = ($self->{active} // 0) + 1;
    my ($status) = $self->write(
        'user_' . ($value % 2 ? 'disable' : 'enable'), $user->{register}, $value,
        POST => "/users/$user->{id}/" . ($value % 2 ? 'disable' : 'enable'),
        $self->{admin}, {});
    $self->{active} = $value if $status == 200;
    return;
}

# ---- Sessions, accounts ----

# A few sessions: one is begun, looked at, ended, and looked at for some time afterwards.
sub use_session ($self) {
    my $sessions = $self->{sessions};
    return $self->sign_in if @$sessions < 2 || @$sessions < 8 && rand() < 0.2;
    my $session = one_of(@$sessions);
    if (rand() < 0.2) {
        if ($session->{ended}) {
            $self->{sessions} = [grep { $_ != $session } @$sessions];
            return;
        }
        my ($status) =
            $self->write('sign_out', $session->{register}, 2, GET => '/auths/signout', $session->{token});
        $session->{ended} = 1 if $status == 200;
        return;
    }
    # UNAUTHORIZED is no word about the session: where the clock has gone back, the token is from the future.
    my $take = sub ($status, $body) {
        return $status == 200 ? (R => 1) : $status == 401 && $body !~ /"UNAUTHORIZED"/ ? (R => 2) : ();
    };
    $self->read(
        'session', $session->{register}, $take,
        GET => one_of('/auths/', '/users/permissions'),
        $session->{token});
    return;
}

sub sign_in ($self) {
    my $user = $self->{people}{login}[$self->{number}];
    my ($status, $body, $begin, $end) =
        $self->ask(POST => '/auths/signin', undef, {email => $user->{email}, password => $user->{password}});
    my ($token) = $body =~ /"token":"([^"]+)"/;
    my $register = '-';
    if ($status == 200 && $token) {
        my $claims = $json->decode(MIME::Base64::decode_base64url((split /\./, $token)[1]));
        $register = "session.$claims->{jti}";
        # A token from a time when the service's clock was ahead does not hold before that time comes.
        push @{$self->{sessions}}, {register => $register, token => $token} if $claims->{iat} < time + 2;
    }
    $self->{ledger}->note('W', $register, 1, $begin, $end, $status, 'sign_in');
    return;
}

sub use_account ($self) {
    my $accounts = $self->{accounts};
    return $self->add_account if @$accounts < 2 || @$accounts < 6 && rand() < 0.2;
    my $account = one_of(@$accounts);
    if (rand() < 0.2) {
        if ($account->{deleted}) {
            $self->{accounts} = [grep { $_ != $account } @$accounts];
            return;
        }
        my ($status, undef, $begin, $end) = $self->ask(DELETE => "/users/$account->{id}", $self->{admin});
        # An attempt before, of which nobody knew, has done it.
        $status = 200 if $status == 400 && $account->{tried};
        $self->{ledger}->note('W', $account->{register}, 2, $begin, $end, $status, 'user_delete');
        $account->{tried} = 1;
        $account->{deleted} = 1 if $status == 200;
        return;
    }
    my $take = sub ($status, $body) { $status == 200 ? (R => 1) : $status == 400 ? (R => 2) : () };
    $self->read('user_get', $account->{register}, $take, GET => "/users/$account->{id}", $self->{admin});
    return;
}

sub add_account ($self) {
    my $email = $self->next_value . '@example.net';
    my ($status, $body) = $self->write(
        'user_add', "account.$email", 1,
        POST => '/auths/add',
        $self->{admin},
        {name => 'Added', email => $email, password => 'a long password'});
    my ($id) = $body =~ /"id":"([^"]+)"/;
    push @{$self->{accounts}}, {register => "account.$email", id => $id} if $status == 200 && $id;
    return;
}

1;
