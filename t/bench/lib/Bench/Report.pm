# Bench::Report: results as tables, JSON and drawings.
package Bench::Report;
use v5.36;

use JSON::PP ();
use POSIX ();

use Bench::Cost;
use Bench::Load;
use Bench::Number;
use Bench::SignIns;
use Bench::Start;
use Bench::Svg;
use Bench::Wanted;

sub write_json ($file, $data) {
    Roster::Database::write_file($file, JSON::PP->new->utf8->canonical->pretty->encode($data));
    return;
}

# What the figures come from; they are comparable within one run alone.
sub machine () {
    my ($system, undef, $release, undef, $machine) = POSIX::uname();
    my $information = Roster::Database::slurp('/proc/cpuinfo');
    my @processors = $information =~ /^processor\s*:/mg;
    my ($model) = $information =~ /^model name\s*:\s*(.*)$/m;
    return {
        system => "$system $release $machine",
        processors => scalar @processors,
        processor => $model // '',
        time => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime)
    };
}

sub ratio ($value) { return defined $value ? sprintf '%.2f', $value : '' }

# ---- The comparison ----

sub comparison ($result, $connections) {
    my @targets = @{$result->{targets}};
    print_loads($_, @targets) for @$connections;
    print_costs($connections->[$#$connections / 2], @targets);
    print_memory($result);
    Bench::SignIns::report($result->{sign_ins}) if $result->{sign_ins};
    Bench::Start::report_starts($result->{start}) if $result->{start};
    Bench::Start::report_reload($result->{reload}) if $result->{reload};
    Bench::Wanted::report(@{$result->{wanted}});
    print "$_\n" for @{$result->{notes}};
    return;
}

sub print_loads ($connections, @targets) {
    printf "%-40s %10s %9s %9s %8s %9s %8s %12s\n", $connections == 1 ? '1 connection' : "$connections connections",
        'requests/s', 'p50 ms', 'p99 ms', 'p99/p50', 'of hello', 'of user', 'of its floor';
    for my $target (@targets) {
        my $load = $target->{loads}{$connections};
        printf "%-40s %10s %9.2f %9.2f %8.1f %9s %8s %12s%s\n", $target->{name}, Bench::Number::commas($load->{rate}),
            $load->{p50}, $load->{p99}, $load->{spread},
            (map { ratio($load->{ratios}{$_}) } 'of hello', 'of user', 'of its floor'),
            $load->{errors} ? "   $load->{errors} errors" : '';
    }
    print "\n";
    return;
}

sub print_costs ($connections, @targets) {
    printf "%-40s %39s %11s %8s %7s %15s\n", 'a request costs', "processor µs, $connections at a time", 'statements',
        'Redis', 'system', 'allocations';
    printf "%-40s %7s %7s %7s %6s %8s %11s %8s %7s %7s %7s\n", '', qw(nginx workers MariaDB Redis all), '', 'commands',
        'calls', 'count', 'bytes';
    for my $target (@targets) {
        my ($processor, $costs) = ($target->{loads}{$connections}{processor}, $target->{costs});
        printf "%-40s %7.0f %7.0f %7.0f %6.0f %8.0f %11.2f %8.2f %7s %7s %7s\n", $target->{name},
            @{$processor}{@Bench::Cost::KINDS, 'all'}, @{$costs}{qw(statements redis_commands)},
            (map { defined $_ ? sprintf '%.1f', $_ : '' } @{$costs}{qw(system_calls allocations)}),
            defined $costs->{allocated_bytes} ? Bench::Number::commas($costs->{allocated_bytes}) : '';
    }
    print "\n";
    return;
}

sub print_memory ($result) {
    printf "PSS after %s requests to Roster; the identity table has %.1f MB of it, once\n",
        Bench::Number::commas($result->{requests}), ($result->{table_kb} // 0) / 1024;
    printf "%-40s %6s %10s %12s\n", '', 'number', 'median MB', 'greatest MB';
    printf "%-40s %6d %10.1f %12.1f\n", @{$_}{qw(name count)}, map { $_ / 1024 } @{$_}{qw(median greatest)}
        for @{$result->{memory}};
    print "\n";
    return;
}

# One chart for each number of connections: the latency at each part of the requests.
sub draw_latency ($file, $title, $connections, $result) {
    my @all = map {
        my $target = $_;
        map { @{$target->{loads}{$_}{points}} } @$connections
    } @{$result->{targets}};
    my %x = (
        label => 'part of the requests that took no longer',
        ticks => [[1, '0'], [2, '50 %'], [10, '90 %'], [100, '99 %'], [1000, '99.9 %']]);
    my @charts = map {
        my $number = $_;
        {
            title => $number == 1 ? '1 connection' : "$number connections",
            x => \%x,
            y => {label => 'latency, ms', ticks => Bench::Svg::decades(@all)},
            lines => [map { latency_line($_, $number) } @{$result->{targets}}]
        }
    } @$connections;
    Bench::Svg::draw($file, $title, @charts);
    return;
}

sub latency_line ($target, $connections) {
    my $points = $target->{loads}{$connections}{points};
    return {
        name => $target->{name},
        dashes => scalar($target->{key} =~ /^(?:floor-|peer)/),
        points => [map { [1 / (1 - $Bench::Load::PARTS[$_]), $points->[$_]] } 0 .. $#$points]
    };
}

1;
