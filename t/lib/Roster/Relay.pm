# Roster::Relay: stands between a service and its server, and does to what passes what a bad network does.
#
#   my $relay = Roster::Relay->start('db1', listen => {tcp => 12345}, to => $socket, control => $file, log => $log);
#   $relay->be('slow', 0.2);
#
# What it can be:
#   well                what comes goes on
#   slow SECONDS        each piece is held back for a time between nothing and SECONDS, whatever that of other connections
#                       is: so statements of several connections come to the server in another order than they were sent
#   cut SHARE           that share of the pieces is the end of its connection: half of a piece may have gone on
#   silent              nothing goes on, in neither direction; connections are accepted
#   away                connections end, and none is accepted
package Roster::Relay;
use v5.36;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes ();

use Roster::Ledger;

sub start ($class, $name, %options) {
    my $self = bless {%options, name => $name}, $class;
    $self->be('well');
    my $listener =
        $options{listen}{tcp}
        ? IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $options{listen}{tcp},
        Listen => 200,
        ReuseAddr => 1)
        : IO::Socket::UNIX->new(Local => $options{listen}{unix}, Listen => 200);
    die "$name: $!\n" if !$listener;
    my $parent = $$;
    $self->{pid} = fork // die "fork: $!\n";
    if (!$self->{pid}) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        eval { $self->{listener} = $listener; $self->run($parent) };
        print STDERR "relay: $@" if $@;
        POSIX::_exit(1);
    }
    close $listener;
    return $self;
}

sub stop ($self) {
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

# Is read again with each turn of the loop, a hundred times a second at least.
sub be ($self, $what, $how = 0) {
    open my $out, '>', "$self->{control}.new" or die "$self->{control}.new: $!\n";
    print {$out} "$what $how\n";
    close $out;
    rename "$self->{control}.new", $self->{control} or die "$self->{control}: $!\n";
    return;
}

sub look ($self) {
    my $modified = (stat $self->{control})[1] // return;
    return if $modified == ($self->{inode} // 0);
    $self->{inode} = $modified;
    open my $in, '<', $self->{control} or return;
    @$self{qw(mode how)} = split / /, readline($in) // 'well 0';
    return;
}

# Two halves for each connection: where it is read, where that goes, and what waits: [time, bytes].
sub run ($self, $parent) {
    $self->{half} = {};
    while (getppid == $parent) {
        $self->look;
        $self->drop($_) for $self->{mode} eq 'away' ? (my @all = values %{$self->{half}}) : ();
        my $select = IO::Select->new($self->{listener});
        if ($self->{mode} ne 'silent') {
            $select->add($_->{from}) for grep { @{$_->{waiting}} < 100 } values %{$self->{half}};
        }
        for my $socket ($select->can_read($self->pause)) {
            if ($socket == $self->{listener}) { $self->accept }
            elsif (my $half = defined fileno $socket && $self->{half}{fileno $socket}) { $self->take($half) }
        }
        $self->send_due if $self->{mode} ne 'silent';
    }
    return;
}

# How long nothing is due, but no longer than a change of what it is may wait.
sub pause ($self) {
    my $pause = 0.01;
    my $now = Roster::Ledger::now();
    for my $half (my @halves = values %{$self->{half}}) {
        next if !@{$half->{waiting}};
        my $left = $half->{waiting}[0][0] - $now;
        $pause = $left > 0 ? $left : 0 if $left < $pause;
    }
    return $pause;
}

sub accept ($self) {
    my $client = $self->{listener}->accept // return;
    my $server = $self->{mode} eq 'away' ? undef : IO::Socket::UNIX->new(Peer => $self->{to});
    return if !$server;
    my ($up, $down) =
        ({from => $client, to => $server, waiting => []}, {from => $server, to => $client, waiting => []});
    $up->{other} = $down;
    $down->{other} = $up;
    $self->{half}{fileno $_->{from}} = $_ for $up, $down;
    return;
}

sub drop ($self, $half) {
    for my $one ($half->{other} // (), $half) {
        delete $self->{half}{fileno $one->{from}} if defined fileno $one->{from};
    }
    close $half->{from};
    close $half->{to};
    delete $_->{other} for $half->{other} // (), $half;
    return;
}

sub take ($self, $half) {
    my $count = sysread $half->{from}, my ($bytes), 65536;
    return $self->drop($half) if !$count;
    my $now = Roster::Ledger::now();
    if ($self->{mode} eq 'cut' && rand() < $self->{how}) {
        syswrite $half->{to}, substr $bytes, 0, int rand 1 + length $bytes;
        return $self->drop($half);
    }
    my $last = @{$half->{waiting}} ? $half->{waiting}[-1][0] : 0;
    my $due = $now + ($self->{mode} eq 'slow' ? rand $self->{how} : 0);
    push @{$half->{waiting}}, [$due > $last ? $due : $last, $bytes];
    return;
}

sub send_due ($self) {
    my $now = Roster::Ledger::now();
    HALF: for my $half (my @halves = values %{$self->{half}}) {
        while ($half->{other} && @{$half->{waiting}} && $half->{waiting}[0][0] <= $now) {
            my $bytes = shift(@{$half->{waiting}})->[1];
            my $sent = 0;
            while ($sent < length $bytes) {
                my $count = syswrite $half->{to}, $bytes, 65536, $sent;
                if (!$count) { $self->drop($half); next HALF }
                $sent += $count;
            }
        }
    }
    return;
}

1;
