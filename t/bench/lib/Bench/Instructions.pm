# Bench::Instructions: how many instructions a worker takes for a request, by callgrind: the same in every run, whatever
# else the machine does.
package Bench::Instructions;
use v5.36;

use Bench::Load;
use Bench::Number;
use Bench::Stack;
use Bench::Targets;

# How many requests one count has, how many counts a target has, and how many requests come before: buffers and
# statements are there then.
my ($REQUESTS, $COUNTS, $WARM) = (20, 3, 40);

# The floors that Roster's figures are ratios to.
my @FLOORS = qw(hello user);

# Options: users, output (directory: callgrind's files stay there, as callgrind.KEY.out), only (pattern), sign_in,
# no_table, quiet.
# {targets => [{key, name, instructions, most, of_user}]}
sub run (%option) {
    my @targets;
    Bench::Stack::with(
        sub ($stack) {
            start($stack);
            @targets = grep { is_wanted($_, $option{only}) } Bench::Targets::all($stack, %option);
            for my $target (@targets) {
                print STDERR "\r\e[K$target->{name}" if !$option{quiet};
                measure($stack, $target, $option{output});
            }
        },
        users => $option{users},
        changing => 1,
        no_table => $option{no_table},
        workers => 1,
        pool => 128);
    print STDERR "\r\e[K" if !$option{quiet};
    my ($user) = map { $_->{instructions} } grep { $_->{key} eq 'floor-user' } @targets;
    $_->{of_user} = $_->{instructions} / $user for @targets;
    return {targets => [map { row($_) } @targets]};
}

sub row ($target) {
    return {map { ($_ => $target->{$_}) } qw(key name instructions most of_user)};
}

sub is_wanted ($target, $only) {
    return $target->{key} =~ /^floor-(?:hello|user)$/
        || ($target->{process} eq 'roster' && (!defined $only || $target->{key} =~ $only));
}

# Roster with one worker in each pool, and the floors, under callgrind, which counts nothing yet.
sub start ($stack) {
    my $directory = $stack->directory;
    my @command = (
        Roster::Database::find_program('valgrind'), '--quiet',
        '--tool=callgrind', '--trace-children=yes',
        '--instr-atstart=no', "--callgrind-out-file=$directory/callgrind.%p",
        "--vgdb-prefix=$directory/vgdb", "--log-file=$directory/log/valgrind.%p");
    local $Roster::Process::patience = 20;
    $stack->restart_single(command => \@command);
    $stack->start_floor($_, workers => 1, command => \@command) for @FLOORS;
    return;
}

# The least of some counts, and the greatest, which shows how far they repeat: now and then something is done that not
# every request needs.
sub measure ($stack, $target, $output) {
    my $roster = $stack->roster;
    my ($pid) =
        $target->{process} eq 'roster'
        ? worker($roster, $target->{pool})
        : $roster->process($target->{process})->children;
    control($stack, $pid, 'instrumentation on');
    Bench::Load::succeed($target->{port}, $target->{requests}, $WARM);
    dump_counts($stack, $pid);
    my @counts = sort { $a->[0] <=> $b->[0] } map {
        Bench::Load::succeed($target->{port}, $target->{requests}, $REQUESTS);
        my $file = dump_counts($stack, $pid);
        [total($file) / $REQUESTS, $file]
    } 1 .. $COUNTS;
    control($stack, $pid, 'instrumentation off');
    @{$target}{qw(instructions most)} = ($counts[0][0], $counts[-1][0]);
    system('cp', $counts[0][1], "$output/callgrind.$target->{key}.out") == 0 or die "cp: $?\n";
    return;
}

# The one worker of a pool, by its name, of which the kernel keeps 15 bytes: valgrind has a command line of its own.
sub worker ($roster, $pool) {
    my $name = substr "roster-$pool", 0, 15;
    return grep { Roster::Database::slurp("/proc/$_/comm") eq "$name\n" } $roster->workers;
}

# What callgrind_control does; that one knows a process by its command line, which a worker's title hides.
sub control ($stack, $pid, $command) {
    my $prefix = $stack->directory . '/vgdb';
    my $text = qx{vgdb --vgdb-prefix=$prefix --pid=$pid $command 2>&1};
    $? == 0 or die "vgdb --pid=$pid $command: $text\n";
    return;
}

# Writes what was counted since the last time, and gives the file.
sub dump_counts ($stack, $pid) {
    my $base = $stack->directory . "/callgrind.$pid";
    my $before = () = glob "$base.*";
    control($stack, $pid, 'dump');
    my @files;
    Roster::Process::wait_until(10, sub { @files = glob "$base.*"; @files > $before && total($files[-1]) })
        or die "callgrind has written nothing\n";
    return (sort { ($a =~ /(\d+)$/)[0] <=> ($b =~ /(\d+)$/)[0] } @files)[-1];
}

sub total ($file) { return Roster::Database::slurp($file) =~ /^(?:totals|summary): (\d+)/m ? $1 : 0 }

sub report ($result) {
    printf "%-34s %14s %14s %9s\n", 'instructions of a worker', 'a request', 'at most', 'of user';
    for my $target (@{$result->{targets}}) {
        printf "%-34s %14s %14s %9.2f\n", $target->{name},
            map({ Bench::Number::commas($_) } @{$target}{qw(instructions most)}),
            $target->{of_user};
    }
    return;
}

1;
