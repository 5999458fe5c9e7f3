# Roster::Bench: what the programs of t/bench share. It comes before Roster, which it tells where sources and build
# directory are: beside the program, and the directory that it is called in, unless TOP_SRCDIR and TOP_BUILDDIR say
# otherwise.
#
#   use FindBin;
#   use lib "$FindBin::Bin/../lib";
#   use Roster::Bench;
#   use Roster;
#
#   my %option = options(seconds => 3, only => '.', password => []);    # --seconds 5 --password a=b --password c=d
package Roster::Bench;
use v5.36;

use Cwd ();
use Exporter 'import';
use File::Basename ();
use Getopt::Long ();

our @EXPORT = qw(options median directives insert_people);

BEGIN {
    $ENV{TOP_SRCDIR} //= Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');
    $ENV{TOP_BUILDDIR} //= Cwd::getcwd();
}

# The options of the command line, over their defaults: a number, a text, or a list. Ends the program where one is
# unknown.
sub options (%option) {
    my $type = sub ($value) { ref $value ? 's@' : $value =~ /^\d+$/ ? 'i' : 's' };
    Getopt::Long::GetOptions(\%option, map { "$_=" . $type->($option{$_}) } keys %option) or exit 2;
    return %option;
}

# "a=b" of the command line as a hash.
sub directives ($texts) {
    return {map { split /=/, $_, 2 } @$texts};
}

sub median (@values) {
    return (sort { $a <=> $b } @values)[$#values / 2];
}

# Puts $count people into the table, 00000001-0000-4000-8000-000000000000 and so on. $name gives the
# name of each by its number, $row its further columns.
sub insert_people ($roster, $count, $name, $row) {
    for my $start (map { $_ * 1000 } 0 .. $count / 1000 - 1) {
        my @rows = map {
            my $n = $start + $_;
            my %columns = (
                id => sprintf('%08d-0000-4000-8000-000000000000', $n),
                email => "resident$n\@example.org",
                role => 'user',
                name => $name->($n),
                profile_image_url => '/user.png',
                info => '{"city":"Graz"}',
                $row->($n));
            \%columns;
        } 1 .. 1000;
        my @names = sort keys %{$rows[0]};
        my $places = '(' . join(', ', ('?') x @names) . ')';
        $roster->sql(sprintf('INSERT INTO `user` (%s) VALUES %s', join(', ', @names), join ', ', ($places) x @rows),
            map { @$_{@names} } @rows);
    }
    return;
}

1;
