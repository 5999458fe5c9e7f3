# Bench::Sizes: what requests cost against the number of people.
package Bench::Sizes;
use v5.36;

use Bench::Cost;
use Bench::Load;
use Bench::Number;
use Bench::People;
use Bench::Stack;
use Bench::Svg;
use Bench::Targets;
use Bench::Wanted;
use Roster::Bench;

# From this time on (seconds) a request is timed by itself: wrk would count few of them, or none.
my $SLOW = 0.1;

# How many search while others ask for one user.
my $SEARCHERS = 40;

# Options: people (list), workers, seconds, rounds, quiet. {sizes => [{people, targets, beside}]}
sub run (%option) {
    my @people = sort { $a <=> $b } @{$option{people}};
    my (@sizes, $last);
    # The pool that a site of the largest size would have, and the same one for all sizes, so that they compare.
    Bench::Stack::with(
        sub ($stack) {
            for my $people (@people) {
                if ($last) {
                    Bench::People::fill($stack->roster, $last + 1, $people);
                    $stack->settle;
                }
                $last = $people;
                push @sizes, measure_size($stack, $people, %option);
            }
        },
        users => $people[0],
        workers => $option{workers},
        pool => $people[-1] > 100_000 ? 512 : 128);
    print STDERR "\r\e[K" if !$option{quiet};
    compare(@sizes);
    return {sizes => \@sizes, wanted => [Bench::Wanted::of_sizes(@sizes[0, -1])]};
}

sub measure_size ($stack, $people, %option) {
    my @targets = Bench::Targets::growing($stack, $people);
    for my $target (@targets) {
        print STDERR "\r\e[K", Bench::Number::commas($people), " people: $target->{name}" if !$option{quiet};
        $target->{file} = $stack->directory . "/requests-$target->{key}";
        Bench::Load::write_requests($target->{file}, $target->{requests});
        measure($stack, $target, %option);
    }
    my %by_key = map { ($_->{key} => $_) } @targets;
    return {
        people => $people,
        directory_kb => directory_memory($stack->roster),
        beside => beside($stack, %option, users => $by_key{users}, search => $by_key{tenth}),
        targets => [map { printable($_) } @targets]
    };
}

# Its workers together.
sub directory_memory ($roster) {
    my $sum = 0;
    $sum += Bench::Cost::pss($_) // 0 for $roster->workers('directory');
    return $sum;
}

# How many times that of the fewest people each p50 is.
sub compare (@sizes) {
    for my $size (@sizes) {
        for my $place (0 .. $#{$size->{targets}}) {
            $size->{targets}[$place]{times} = $size->{targets}[$place]{p50} / $sizes[0]{targets}[$place]{p50};
        }
    }
    return;
}

sub printable ($target) {
    return {%{$target->{figures}}, map { ($_ => $target->{$_}) } qw(key name head wanted)};
}

# One request after another, and 16 connections: times in milliseconds. Errors are counted, not hidden.
sub measure ($stack, $target, %option) {
    my @probe = Bench::Load::in_turn($stack->port, $target->{requests}, 3);
    my ($time) = sort { $a <=> $b } map { $_->[0] } @probe;
    my $is_slow = $time > $SLOW || grep { $_->[1] != 200 } @probe;
    push @probe, Bench::Load::in_turn($stack->port, $target->{requests}, 8) if $is_slow && $time < 2;
    $target->{figures} = $is_slow ? figures_of_few(@probe) : figures_of_loads($stack->port, $target->{file}, %option);
    return;
}

sub figures_of_few (@results) {
    my @times = sort { $a <=> $b } map { $_->[0] * 1000 } @results;
    return {
        p50 => $times[$#times / 2],
        p99 => $times[-1],
        errors => scalar(grep { $_->[1] != 200 } @results)
    };
}

sub figures_of_loads ($port, $file, %option) {
    my (%figure, $errors);
    for my $connections (1, 16) {
        my @rounds = map { Bench::Load::run($port, $file, $connections, $option{seconds}) } 1 .. $option{rounds};
        for my $name (qw(rate p50 p99)) {
            $figure{$connections}{$name} = median(map { $_->{$name} } @rounds);
        }
        $errors += $_->{errors} for @rounds;
    }
    return {p50 => $figure{1}{p50}, p99 => $figure{1}{p99}, rate => $figure{16}{rate}, errors => $errors};
}

# GET /users/{id} at 16 connections, alone and while others search: {alone, beside}.
sub beside ($stack, %option) {
    my ($port, $seconds) = ($stack->port, $option{seconds} * $option{rounds});
    my $ask = sub { Bench::Load::run($port, $option{users}{file}, 16, $seconds) };
    my $alone = $ask->();
    my $pid = open my $out, '-|', Bench::Load::command($port, $option{search}{file}, $SEARCHERS, $seconds + 2)
        or die "wrk: $!\n";
    sleep 1;
    my $beside = $ask->();
    my $searches = Bench::Load::result($out);
    return {
        map({
                my ($name, $load) = @$_;
                ($name => {map { ($_ => $load->{$_}) } qw(rate p50 p99 errors)})
            } ['alone', $alone],
            ['beside', $beside],
            ['searches', $searches])
    };
}

# ---- Tables and drawing ----

sub report ($result) {
    my @sizes = @{$result->{sizes}};
    my @heads = map { $_->{head} } @{$sizes[0]{targets}};
    print_rows(
        'p50 ms, 1 connection (!: some were not answered with 200)', \@heads,
        sub ($figures) { cell('%.2f', $figures->{p50}, $figures->{errors}) }, @sizes);
    print_rows(
        'the same, against that of the fewest people', \@heads,
        sub ($figures) { cell('%.2f', $figures->{times}, 0) }, @sizes);
    print_rows('requests/s, 16 connections', \@heads, sub ($figures) { cell('%.0f', $figures->{rate}, 0) }, @sizes);
    print_beside($_) for @sizes;
    print "\n";
    Bench::Wanted::report(@{$result->{wanted}});
    return;
}

sub print_beside ($size) {
    my ($alone, $beside, $searches) = @{$size->{beside}}{qw(alone beside searches)};
    printf '%s people, %d searching (%.0f/s): GET /users/{id} keeps %.2f of %.0f/s, p99 is %.1f times %.2f ms',
        Bench::Number::commas($size->{people}), $SEARCHERS, $searches->{rate}, $beside->{rate} / $alone->{rate},
        $alone->{rate}, $beside->{p99} / $alone->{p99}, $alone->{p99};
    printf '; %d errors, %d of the searches', $beside->{errors}, $searches->{errors}
        if $beside->{errors} || $searches->{errors};
    print "\n";
    return;
}

sub cell ($format, $value, $errors) {
    return defined $value ? sprintf($format, $value) . ($errors ? ' !' : '') : 'slow';
}

# One row a size.
sub print_rows ($title, $heads, $cell, @sizes) {
    print "$title\n", map({ sprintf '%15s', $_ } 'people', @$heads), "\n";
    for my $size (@sizes) {
        print
            map({ sprintf '%15s', $_ } Bench::Number::commas($size->{people}), map { $cell->($_) } @{$size->{targets}}),
            "\n";
    }
    print "\n";
    return;
}

sub draw ($file, $result) {
    my @sizes = @{$result->{sizes}};
    my @targets = @{$sizes[0]{targets}};
    my @lines = map {
        my $place = $_;
        {
            name => $targets[$place]{name},
            points => [map { [$_->{people}, $_->{targets}[$place]{p50}] } @sizes]
        }
    } 0 .. $#targets;
    my @all = map {
        map { $_->[1] }
            @{$_->{points}}
    } @lines;
    Bench::Svg::draw(
        $file,
        'Roster: cost against the number of people',
        {
            title => 'one request after another',
            x => {label => 'people', ticks => Bench::Svg::decades(map { $_->{people} } @sizes)},
            y => {label => 'p50, ms', ticks => Bench::Svg::decades(@all)},
            lines => \@lines
        });
    return;
}

1;
