# Bench::Wanted: what the figures should be, beside what they are. A run fails for none of them.
#
# A row: {what, value, bound, wanted (a number), unit}; bound is 'at least' or 'at most'. value is undef where that was
# not measured.
package Bench::Wanted;
use v5.36;

use Bench::Number;
use Bench::SignIns;
use Roster::Bench;

# The ratios are those at this number of connections, the spread (p99/p50) is that at the other one.
my ($CONNECTIONS, $MANY) = (16, 64);

sub row ($what, $value, $bound, $wanted, $unit = '') {
    return {what => $what, value => $value, bound => $bound, wanted => $wanted, unit => $unit};
}

# Of Bench::Compare: its result, and all targets.
sub of_comparison ($result, @targets) {
    my %measured = map { ($_->{key} => $_) } @{$result->{targets}};
    my ($api) = grep { $_->{name} eq 'roster: api worker' } @{$result->{memory}};
    my ($start, $reload, $sign_ins) = @{$result}{qw(start reload sign_ins)};
    return (
        map({ of_target($_, $measured{$_->{key}}) } @targets),
        row(
            'PSS of an api worker after ' . Bench::Number::commas($result->{requests}) . ' requests',
            megabytes($api->{median}),
            'at most', 3, ' MB'
        ),
        row('the identity table, once', megabytes($result->{table_kb}), 'at most', 16, ' MB'),
        row(
            "GET /verify: p50 while $Bench::SignIns::CLIENTS clients sign in, times that without",
            $sign_ins && $sign_ins->{times},
            'at most', 1.5
        ),
        row('start to the first answer', $start && median(@{$start->{user}}), 'at most', 60, ' ms'),
        row('death of a worker to the answer of the next', $start && median(@{$start->{worker}}), 'at most', 10, ' ms'),
        row(
            'p99 during a reload, times that before',
            $reload && $reload->{during}{p99} / $reload->{before}{p99},
            'at most', 1.1
        ));
}

sub megabytes ($kilobytes) { return defined $kilobytes ? $kilobytes / 1024 : undef }

my %NAME = (
    'of user' => "times the floor 'user'",
    'of hello' => "of the floor 'hello'",
    'of peer' => 'times peer.php',
    'of its floor' => 'of its floor');

sub of_target ($target, $measured) {
    my %wanted = %{$target->{wanted} // {}};
    my $ratios = ($measured->{loads}{$CONNECTIONS} // {})->{ratios} // {};
    my ($spread, $processor) = delete @wanted{qw(spread processor)};
    return (
        map({ row("$target->{name}: $NAME{$_}", $ratios->{$_}, 'at least', $wanted{$_}) } sort keys %wanted),
        $processor ? row(
            "$target->{name}: processor time, of the floor 'hello'", $ratios->{'processor of hello'},
            'at most', $processor
            )
        : (),
        $spread
        ? row("$target->{name}: p99/p50 at $MANY", ($measured->{loads}{$MANY} // {})->{spread}, 'at most', $spread)
        : ());
}

# Of Bench::Sizes: the results for the fewest people and for the most.
sub of_sizes ($fewest, $most) {
    my ($alone, $beside) = @{$most->{beside}}{qw(alone beside)};
    return (
        map({ of_growing($_, $fewest, $most) } @{$most->{targets}}),
        row('GET /users/{id} while 40 search: keeps of its rate', $beside->{rate} / $alone->{rate}, 'at least', 0.7),
        row('GET /users/{id} while 40 search: p99, times that alone', $beside->{p99} / $alone->{p99}, 'at most', 3),
        row('PSS of the pool directory', megabytes($most->{directory_kb}), 'at most', 150, ' MB'));
}

sub of_growing ($target, $fewest, $most) {
    my $wanted = $target->{wanted};
    my ($few, $many) = map { Bench::Number::commas($_->{people}) } $fewest, $most;
    return
        defined $wanted->{times}
        ? row("$target->{name}: p50, $many against $few", $target->{times}, 'at most', $wanted->{times})
        : row("$target->{name}: p50 with $many", $target->{p50}, 'at most', $wanted->{milliseconds}, ' ms');
}

# ---- The table ----

sub report (@rows) {
    printf "%-64s %12s %20s\n", 'what is wanted', 'measured', 'wanted';
    for my $row (@rows) {
        my $is_missed = defined $row->{value}
            && ($row->{bound} eq 'at least' ? $row->{value} < $row->{wanted} : $row->{value} > $row->{wanted});
        printf "%-64s %12s %20s%s\n", $row->{what},
            defined $row->{value} ? sprintf('%.2f%s', @{$row}{qw(value unit)}) : 'left out',
            "$row->{bound} $row->{wanted}$row->{unit}", $is_missed ? '   missed' : '';
    }
    print "\n";
    return;
}

1;
