# Roster::Checks: what must be true of every stack at its end, whatever the test was about.
package Roster::Checks;
use v5.36;

use Test::More ();

use Roster::Database;
use Roster::Document;

# Adds one subtest.
sub run ($stack) {
    my $test = Test::More->builder;
    $test->subtest(
        'the stack ends well, and its logs are clean',
        sub {
            my $ran = $stack->running('roster');
            my $status = $ran ? $stack->stop('roster') : 0;
            $test->ok(defined $status && $status == 0, 'roster stops by itself, with status 0')
                or $test->diag(defined $status ? "waitpid says $status" : 'it had to be killed');
            $stack->stop;
            my %logs =
                map { (m{([^/]+)$})[0] => Roster::Database::slurp($_) } grep { -f } glob "$stack->{directory}/log/*";
            none($test, 'nothing alarming in the logs', alarming($stack, \%logs));
            none($test, 'no report of a sanitizer or of valgrind', reports(\%logs));
            none($test, 'no secret in any log', leaks($stack, \%logs));
            none($test, 'no error that the interface does not say', undocumented($stack, \%logs));
        });
    if (!$test->is_passing) {
        $test->diag($stack->log_tail($_)) for grep { $stack->log_text($_) ne '' } qw(roster roster-error);
    }
    return;
}

sub none ($test, $name, @faults) {
    splice @faults, 10 if @faults > 10;
    return $test->ok(!@faults, $name) || $test->diag(join "\n", @faults);
}

# Alerts, and workers that a signal ended: in nginx's shape, or as JSON.
my $alarm = qr/\[(?:alert|emerg)\]
    |"(?:severity|level)":\s*"(?:alert|emerg)"
    |\bsignal\ (?:4|6|7|8|11)\b
    |SIG(?:ILL|ABRT|BUS|FPE|SEGV)/x;

sub alarming ($stack, $logs) {
    my @faults;
    for my $name (grep { /^(?:roster|nginx)/ } sort keys %$logs) {
        for my $line (split /\n/, $logs->{$name}) {
            next if $line !~ /$alarm/;
            next if grep { $line =~ $_ } @{$stack->{allowed}};
            push @faults, "$name: $line";
        }
    }
    return @faults;
}

# Their files are empty or absent where all is well (valgrind runs with --quiet).
sub reports ($logs) {
    my @faults;
    for my $name (sort keys %$logs) {
        my $text = $logs->{$name};
        if (
              $name =~ /^(?:sanitizer|valgrind)/
            ? $text =~ /\S/
            : $text =~ /AddressSanitizer|LeakSanitizer|runtime error:/)
        {
            push @faults, "$name: " . substr $text, 0, 4000;
        }
    }
    return @faults;
}

# Which codes each endpoint may answer, by what OpenAPI says: {route => {code => 1}}.
sub documented ($stack) {
    my $operations = Roster::Document::operations($stack);
    return {
        map {
            my $name = $_;
            ($name =>
                    {map { ($_ => 1) } map { Roster::Document::codes($_) } values %{$operations->{$name}{responses}}});
        } keys %$operations
    };
}

# Access lines of endpoints with a code that is none of theirs. What a test has broken on purpose it allows (allow_log).
sub undocumented ($stack, $logs) {
    my $codes = documented($stack);
    my %seen;
    for my $line (split /\n/, $logs->{'roster-access.log'} // '') {
        my ($route, $code) = $line =~ /^time=.* route=(\w+) status=\d+ code=([A-Z_]+) / or next;
        $seen{"$route answers $code, which OpenAPI does not say (routes.def)"} //= $line
            if $codes->{$route} && !$codes->{$route}{$code};
    }
    return map { "$_: $seen{$_}" } grep {
        my $fault = $_;
        !grep { $fault =~ $_ } @{$stack->{allowed}}
    } sort keys %seen;
}

# Where a secret stands, and its first letters.
sub leaks ($stack, $logs) {
    # There may be thousands: their first letters are looked for first. Roster::secret takes none that is shorter than
    # 8.
    my %by_start;
    push @{$by_start{substr $_, 0, 8}}, $_ for sort keys %{$stack->{secrets}};
    return if !%by_start;
    my $pattern = join '|', map { quotemeta } sort keys %by_start;
    my @faults;
    for my $name (sort keys %$logs) {
        while ($logs->{$name} =~ /(?=($pattern))/g) {
            my $at = $-[0];
            push @faults, map { "$name: " . substr($_, 0, 6) . "… at byte $at" }
                grep { substr($logs->{$name}, $at, length) eq $_ } @{$by_start{$1}};
        }
    }
    return @faults;
}

1;
