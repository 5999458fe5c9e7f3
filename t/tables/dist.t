# The tarball of `make dist` has every file of the repository.
use v5.36;

use Test::More;
use Roster::Tables;

my ($source, $build) = ($Roster::Tables::source, $Roster::Tables::build);
plan skip_all => 'this is no repository of git' if !-e "$source/.git";
my @files = split /\0/, qx{git -c safe.directory='*' -C '$source' ls-files -z};
plan skip_all => 'there is no git' if $? != 0;

# What make would take: files, and directories with everything in them.
delete $ENV{MAKEFLAGS};
my ($top, @taken) = split ' ',
    qx{make -s -C '$build' --eval='print-dist: ; \@echo \$(top_srcdir) \$(DISTFILES)' print-dist};
my %taken = map { (s{^\Q$top\E/}{}r => 1) } @taken;
my $is_made = sub ($file) {
    return $taken{$file} || grep { $file =~ m{^\Q$_\E/} && -d "$source/$_" } keys %taken;
};
cmp_ok scalar @files, '>', 300, 'git lists them';
is_deeply [grep { !$is_made->($_) && $_ ne '.gitignore' && -e "$source/$_" } @files], [],
    'Makefile.am names all of them';

done_testing;
