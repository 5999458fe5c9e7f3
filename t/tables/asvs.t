# ASVS: each requirement of its chapters has one row, and what a row names is there.
use v5.36;

use Test::More;
use Roster::Database;
use Roster::Tables;

# How many requirements each section of a chapter has, in release 5.0.0 of the standard.
my %sections = (
    V3 => [1, 3, 5, 8, 8, 1, 5],
    V4 => [5, 5, 2, 4],
    V6 => [3, 12, 8, 6, 8, 4, 2, 4],
    V7 => [3, 4, 2, 5, 3, 2],
    V8 => [4, 4, 3, 2],
    V9 => [3, 4],
    V13 => [4, 6, 4, 7],
    V14 => [2, 8, 3],
    V16 => [1, 5, 4, 3, 4]);
my %known;
for my $chapter (keys %sections) {
    for my $section (1 .. @{$sections{$chapter}}) {
        $known{"$chapter.$section.$_"} = 1 for 1 .. $sections{$chapter}[$section - 1];
    }
}
is scalar(keys %known), 184, 'so many requirements';

my $source = $Roster::Tables::source;
sub content ($path) { state %read; return $read{$path} //= Roster::Database::slurp("$source/$path") }

# Whether FILE, or FILE: WORDS, is there.
sub is_there ($place) {
    my ($path, $words) = $place =~ /\A(\S+?)(?:: (.+))?\z/ or return 0;
    return -f "$source/$path" && (!defined $words || index(content($path), $words) >= 0);
}

my %needs = (yes => 1, made => 1, told => 1, site => 0, none => 0, no => undef);
my %row;
for my $line (grep { /^V\d+\.\d/ } split /\n/, content('ASVS')) {
    my ($number, $state, $where, $what, @more) = split / \| /, $line;
    ok !@more && length($what // '') > 3, "$number has four columns";
    ok $known{$number}, "$number is a requirement";
    ok !$row{$number}++, "$number stands once";
    next if !ok exists $needs{$state}, "$number: the state $state is one";
    my @places = $where eq '-' ? () : split /; /, $where;
    is !!@places, !!$needs{$state},
        "$number: a row that is `$state' " . ($needs{$state} ? 'names' : 'does not name') . ' where'
        if defined $needs{$state};
    ok is_there($_), "$number: there is $_" for @places;
    is_deeply [grep { !m{^t/} } @places], [], "$number: it names tests" if $state eq 'yes';
}
is_deeply [grep { !$row{$_} } sort keys %known], [], 'no requirement is missing';

# What no other test looks for.
my @nginx = map { glob "$source/nginx/$_" } qw(*.conf roster/*.conf);
cmp_ok scalar @nginx, '>', 5, 'there are files for nginx';
my $configuration = join "\n", map { Roster::Database::slurp($_) =~ s/^\s*#.*$//mgr } @nginx;
unlike $configuration, qr/\bautoindex\b/, 'nginx lists no directory (autoindex)';
like content('nginx/roster-locations.conf'), qr/^server_tokens off;$/m, 'nginx tells no version (server_tokens)';
unlike $configuration, qr/\bserver_tokens\s+(?!off)/, '... anywhere';
my $scripts = join "\n", map { Roster::Database::slurp($_) } glob "$source/nginx/www/*/*.js";
is_deeply [grep { !/^(?:language|hidden)$/ } $scripts =~ /localStorage\W+(\w+)/g], [],
    'pages store the language and hidden columns alone (localStorage)';
unlike $scripts, qr/\b(?:sessionStorage|indexedDB|document\.cookie|caches\.open)\b/, '... and nowhere else';

done_testing;
