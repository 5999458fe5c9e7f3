# Nothing is undocumented: every row of the tables stands in its manual page with its text, and the pages are good mdoc.
use v5.36;
use utf8;

use File::Temp ();
use Cwd ();
use Test::More;
use Roster::Tables;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output todo_output);

# Pages wrap, and mark what stands in backquotes: only letters and digits are compared.
sub bare ($text) { return $text =~ s/[^[:alnum:]_{}]+/ /gr }

my %page = map { ($_ => Roster::Tables::manual($_)) } qw(roster rosterctl roster.conf roster-api);

# The pages are built in, for wherever there is no source: the same from another directory.
{
    my $here = Cwd::getcwd();
    chdir '/' or die "/: $!\n";
    for my $name (sort keys %page) {
        my ($text, $status) = Roster::Tables::rosterctl('manual', $name);
        is $status, 0, "rosterctl manual $name needs no source";
        is $text, $page{$name}, '... and prints the page of the source';
    }
    chdir $here or die "$here: $!\n";
}
my %bare = map { ($_ => bare($page{$_} =~ s/^\.(?:Ql|Li|br)\b//mgr =~ s/\\&//gr)) } keys %page;

# Without the whole page where it fails.
sub has ($page, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok $page{$page} =~ $pattern, $name;
}

sub documents ($page, $text, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok index($bare{$page}, bare($text)) >= 0, $name;
}

for my $row (Roster::Tables::rows('tables/directives.def', 'DIRECTIVE')) {
    my ($name, $text) = @$row[0, 7];
    has 'roster.conf', qr/^\.It Ic \Q$name\E No =/m, "roster.conf(5) has $name";
    documents 'roster.conf', $text, '... with its text';
}
for my $row (Roster::Tables::rows('tables/directives.def', 'SECTION')) {
    has 'roster.conf', qr/^\.Ss \Q$row->[0]\E$/m, "roster.conf(5) has the section $row->[0]";
}

for my $row (Roster::Tables::rows('tables/routes.def', 'ROUTE')) {
    my ($name, $method, $path, $text) = @$row[0, 1, 2, 11];
    has 'roster-api', qr/^\.It Ic $method (?:\\&)?\Q$path\E$/m, "roster-api(7) has $name: $method $path";
    documents 'roster-api', $text, '... with its text';
}
for my $row (Roster::Tables::rows('tables/errors.def', 'ERROR')) {
    my ($code, $status, $text) = @$row;
    has 'roster-api', qr/^\.It Er $code No \($status\)$/m, "roster-api(7) has the error $code, $status";
    documents 'roster-api', $text, '... with its text';
}
for my $row (Roster::Tables::rows('tables/schemas.def', 'SCHEMA')) {
    has 'roster-api', qr/^\.Ss $row->[0]$/m, "roster-api(7) has the body or query $row->[0]";
}
for my $row (Roster::Tables::rows('tables/schemas.def', 'FIELD')) {
    has 'roster-api', qr/^\.Ss $row->[0]\n(?:(?!^\.S[sh]).)*^\.It Va (?:\\&)?$row->[1] /ms,
        "roster-api(7) has $row->[0].$row->[1]";
    documents 'roster-api', $row->[7], '... with its text';
}
for my $row (Roster::Tables::rows('tables/shapes.def', 'SHAPE')) {
    has 'roster-api', qr/^\.Ss $row->[0]$/m, "roster-api(7) has the shape $row->[0]";
}
for my $row (Roster::Tables::rows('tables/permissions.def', 'PERMISSION')) {
    has 'roster-api', qr/^\.It $row->[0]\.$row->[1] Ta $row->[2] Ta $row->[3] Ta ${\($row->[4] =~ tr{_}{.}r)}$/m,
        "roster-api(7) has the permission $row->[0].$row->[1]";
}
for my $row (Roster::Tables::rows('tables/behaviours.def', 'BEHAVIOUR')) {
    documents 'roster-api', $row->[2], "roster-api(7) has $row->[0]";
}
for my $row (Roster::Tables::rows('tables/audit.def', 'AUDIT_ACTION')) {
    for my $page (qw(roster-api rosterctl)) {
        has $page, qr/^\.It Li $row->[0]$/m, "$page has the action $row->[0] of the audit";
        documents $page, $row->[2], '... with its text';
    }
}
for my $row (Roster::Tables::rows('tables/limits.def', 'LIMIT_RULE')) {
    documents 'roster-api', "Counts $row->[3], against $row->[1]", "roster-api(7) has the limit $row->[1]";
}

for my $row (Roster::Tables::rows('ctl/commands.def', 'COMMAND')) {
    my ($name, $words, $arguments, undef, undef, undef, $text, $more) = @$row;
    has 'rosterctl', qr/^\.It Ic \Q$words\E(?: |$)/m, "rosterctl(8) has $words";
    documents 'rosterctl', "$text. $more", '... with its text';
}
my %words = map { @$_[0, 1] } Roster::Tables::rows('ctl/commands.def', 'OPTION_NAME');
for my $row (Roster::Tables::records('ctl/commands.def', 'OPTION')) {
    my $words = $words{$row->{name}};
    has 'rosterctl', qr/^\.It Fl -\Q$words\E/m, "rosterctl(8) has --$words of $row->{command}";
    documents 'rosterctl', $row->{text}, '... with its text';
}
for my $row (Roster::Tables::records('ctl/commands.def', 'GLOBAL_OPTION')) {
    my ($letter, $words) = ($row->{letter} =~ s{'}{}gr, $words{$row->{name}});
    has 'rosterctl', qr/^\.It Fl $letter , Fl -\Q$words\E/m, "rosterctl(8) has --$words";
}
for my $row (Roster::Tables::rows('ctl/commands.def', 'EXIT_STATUS')) {
    has 'rosterctl', qr/^\.It $row->[1]$/m, "rosterctl(8) has the exit status $row->[1]";
    documents 'rosterctl', $row->[2], '... with its text';
}

# roster(8) is written by hand: what getopt takes must stand in it.
my ($letters) = Roster::Tables::slurp("$Roster::Tables::source/src/roster.c") =~ /getopt\(argc, argv, "([^"]+)"\)/;
for my $letter (grep { /\w/ } split //, $letters) {
    has 'roster', qr/^\.It Fl $letter(?: |$)/m, "roster(8) has -$letter";
}

# The sample file, too.
my $sample = Roster::Tables::rosterctl('config', 'sample');
for my $row (Roster::Tables::rows('tables/directives.def', 'DIRECTIVE')) {
    like $sample, qr/^#? ?\Q$row->[0]\E = /m, "the sample has $row->[0]";
}

SKIP: {
    skip 'there is no mandoc', 4 if !Roster::Tables::has_mandoc();
    for my $name (sort keys %page) {
        my $file = File::Temp->new;
        binmode $file, ':encoding(UTF-8)';
        print {$file} $page{$name};
        $file->flush;
        # Whether a page that is referred to is installed depends on the machine.
        my @faults = grep { !/referenced manual not found|outdated mandoc\.db/ } split /^/,
            `mandoc -T lint @{[$file->filename]} 2>&1`;
        is join('', @faults), '', "mandoc finds nothing wrong with $name";
    }
}

done_testing;
