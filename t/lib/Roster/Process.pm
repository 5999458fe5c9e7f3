# Roster::Process: a program that a test has started: in a session of its own, its output in a file, gone when the test
# is gone.
package Roster::Process;
use v5.36;

use Fcntl ();
use JSON::PP ();
use POSIX ();
use Time::HiRes ();

my $json = JSON::PP->new->utf8->allow_nonref;

# Everything takes longer where a checker watches the workers; every waiting time in the tests is multiplied by this.
our $patience = $ENV{ROSTER_TEST_VALGRIND} ? 20 : $ENV{ROSTER_TEST_PATIENCE} || 3;

# Waits until $condition gives something true, and gives it back; undef after $seconds (times $patience).
sub wait_until ($seconds, $condition) {
    my $end = Time::HiRes::time() + $seconds * $patience;
    my $pause = 0.005;
    while (1) {
        my $result = $condition->();
        return $result if $result;
        return undef if Time::HiRes::time() > $end;
        Time::HiRes::sleep($pause);
        $pause = $pause * 1.5 if $pause < 0.1;
    }
}

# Runs $code in a process of its own: a sub that waits for its end and gives the text that $code gave.
sub in_background ($code) {
    pipe my $reader, my $writer or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        close $reader;
        print {$writer} eval { $code->() } // "died: $@";
        close $writer;
        POSIX::_exit(0);
    }
    close $writer;
    return sub { local $/ = undef; my $text = <$reader>; waitpid $pid, 0; return $text };
}

# Runs each sub in a process of its own, all at once: what each gave, as a list of lists in their order, or a list of why
# it died.
sub at_once (@subs) {
    pipe my $wait, my $go or die "pipe: $!\n";
    my @results = map {
        my $sub = $_;
        in_background(sub {
            close $go;
            sysread $wait, my ($byte), 1;    # until all are there
            return $json->encode(eval { [$sub->()] } // ["died: $@"]);
        });
    } @subs;
    close $wait;
    close $go;
    return map { $json->decode($_->()) } @results;
}

# start($name, \@command, log => FILE, environment => {NAME => value or undef}). The kernel ends the program should this
# process be killed (setpriv is Debian's util-linux; without it, the program is ended by END alone).
sub start ($class, $name, $command, %options) {
    state $setpriv = (grep { -x } map { "$_/setpriv" } split /:/, $ENV{PATH})[0];
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        eval {
            POSIX::setsid();
            open STDIN, '<', '/dev/null' or die "/dev/null: $!\n";
            open STDOUT, '>>', $options{log} or die "$options{log}: $!\n";
            open STDERR, '>&', \*STDOUT or die "dup: $!\n";
            for my $variable (sort keys %{$options{environment} // {}}) {
                my $value = $options{environment}{$variable};
                if (defined $value) { $ENV{$variable} = $value }
                else { delete $ENV{$variable} }
            }
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
            my @command = $setpriv ? ($setpriv, '--pdeathsig', 'TERM', '--', @$command) : @$command;
            no warnings 'exec';
            exec {$command[0]} @command or die "$command[0]: $!\n";
        };
        print STDERR $@;
        POSIX::_exit(127);
    }
    return bless {name => $name, pid => $pid, status => undef, log => $options{log}}, $class;
}

sub pid ($self) { return $self->{pid} }

# What waitpid gave once it has ended; undef while it runs.
sub status ($self) {
    if (!defined $self->{status}) {
        my $found = waitpid $self->{pid}, POSIX::WNOHANG();
        $self->{status} = $found == -1 ? -1 : $? if $found;
    }
    return $self->{status};
}

sub running ($self) { return !defined $self->status }

sub signal ($self, $signal) { return $self->running && kill $signal, $self->{pid} }

# Sends $signal, waits up to $seconds for the end, and kills it then. Gives the status, undef where it had to be killed.
sub stop ($self, $signal = 'TERM', $seconds = 20) {
    return $self->{status} if !$self->running;
    kill 'CONT', $self->{pid};
    kill $signal, $self->{pid};
    return $self->{status} if wait_until($seconds, sub { !$self->running });
    $self->kill_all;
    return undef;
}

# Kills it and what it has forked, which shares its session.
sub kill_all ($self) {
    return if !$self->running;
    kill 'KILL', -$self->{pid};
    kill 'KILL', $self->{pid};
    wait_until(10, sub { !$self->running });
    return;
}

# The state of a process and its parent, from /proc: "S 123"; empty where it is gone.
sub state_of ($pid) {
    open my $in, '<', "/proc/$pid/stat" or return '';
    my ($state, $parent) = (<$in> // '') =~ /^\d+ \(.*\) (\S) (\d+) /s or return '';
    return "$state $parent";
}

# The process ids of its children.
sub children ($self) {
    my @pids = map { m{(\d+)$} } glob '/proc/[0-9]*';
    return sort { $a <=> $b } grep { state_of($_) =~ /^[^Z] $self->{pid}$/ } @pids;
}

1;
