# Roster::Commands: the programs, run to their end: methods of Roster. The last argument of each may be {input => TEXT}.
#
#   my ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
#   my ($status, $text) = $roster->rosterctl('user', 'list');
#   my $result = $roster->ctl('user', 'list');    # {status, out, err, json}
#   my $data = $roster->ctl_json('user', 'list');
#
# t/tables/commands.t looks for these calls: the words of a command stand there first, as texts of their own.
package Roster::Commands;
use v5.36;

use File::Temp ();
use JSON::PP ();
use POSIX ();
use Test::More ();

use Roster::Database;

my $json = JSON::PP->new->utf8->allow_nonref;

# Runs a program of the build directory to its end: its exit status (signal in the low bits, as $?) and what it wrote,
# both channels together.
sub run_program ($self, $program, @arguments) {
    my %options = ref $arguments[-1] ? %{pop @arguments} : ();
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        if (defined $options{input}) {
            my $file = File::Temp->new;
            print $file $options{input};
            $file->flush;
            open STDIN, '<', $file->filename;
        }
        else {
            open STDIN, '<', '/dev/null';
        }
        no warnings 'exec';
        exec {"$Roster::build/$program"} $program, @arguments;
        print "$Roster::build/$program: $!\n";
        POSIX::_exit(127);
    }
    local $/ = undef;
    my $text = readline($out) // '';
    close $out;
    return ($?, $text);
}

# rosterctl with this stack's configuration; the last argument may be {input => TEXT}.
sub rosterctl ($self, @arguments) { return $self->run_program('rosterctl', '-c', $self->config_file, @arguments) }

# The same with its channels apart: {status, out, err, json}. The status is a number, or "signal N"; json is undef where
# it prints something else.
sub ctl ($self, @arguments) {
    my %options = ref $arguments[-1] ? %{pop @arguments} : ();
    my ($in, $out, $err) = map { File::Temp->new } 1 .. 3;
    print {$in} $options{input} // '';
    $in->flush;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN, '<', $in->filename;
        open STDOUT, '>', $out->filename;
        open STDERR, '>', $err->filename;
        exec "$Roster::build/rosterctl", '-c', $self->config_file, @arguments or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    my $status = $? & 127 ? "signal $?" : $? >> 8;
    my $text = Roster::Database::slurp($out->filename);
    return {
        status => $status,
        out => $text,
        err => Roster::Database::slurp($err->filename),
        json => scalar eval { $json->decode($text) }
    };
}

# With --json, decoded: also two tests.
sub ctl_json ($self, @arguments) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $result = $self->ctl('--json', @arguments);
    Test::More::is($result->{status}, 0, "--json @{[grep { !ref } @arguments]} succeeds")
        || Test::More::diag($result->{err});
    Test::More::ok(defined $result->{json}, '... and prints JSON') || Test::More::diag($result->{out});
    return $result->{json};
}

1;
