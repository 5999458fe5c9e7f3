# Shell scripts: nothing that shellcheck has to say, and no line longer than 120 columns. Only this release of it counts,
# since a later one has more to say.
use v5.36;

use Cwd ();
use File::Basename ();
use File::Find;
use Test::More;

my $source = $ENV{TOP_SRCDIR} // Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../..');
my @scripts;
my $take = sub {
    $File::Find::prune = 1 if m{/debian/(?:\.debhelper|roster)$|/fuzz/corpus$};
    return if !-f;
    open my $in, '<', $_ or die "$_: $!\n";
    push @scripts, $_ if (readline($in) // '') =~ m{^#!.*\b(?:ba)?sh$};
};
find({no_chdir => 1, wanted => $take}, grep { -e } map { "$source/$_" } qw(.ci debian nginx quickstart src t));
cmp_ok scalar @scripts, '>', 3, 'there are shell scripts';

my $release = '0.9.0';
my $has_shellcheck = (qx{shellcheck --version 2>/dev/null} // '') =~ /^version: \Q$release\E$/m;
for my $script (sort @scripts) {
    my $name = substr $script, length("$source/");
    open my $in, '<', $script or die "$script: $!\n";
    my @long = grep { length() > 121 } readline $in;
    is_deeply \@long, [], "$name: lines";
    SKIP: {
        skip "there is no shellcheck $release", 1 if !$has_shellcheck;
        my $said = qx{shellcheck --format=gcc '$script'};
        is $said, '', "$name: shellcheck";
    }
}

done_testing;
