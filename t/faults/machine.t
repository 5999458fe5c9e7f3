# The machine: its clock, limits of files and memory, a disk without room for logs: under load, with clients that remember what was acknowledged
# (t/lib/Roster/Faults.pm). ROSTER_FAULTS=all shows all of it, with figures: make faults.
use v5.36;

use Test::More;
use Roster;
use Roster::Faults;
use Roster::Faults::Rows;

my $faults = Roster::Faults->new(clock => $Roster::Faults::is_whole, disks => 1);
$faults->run_row($_) for Roster::Faults::Rows::of('machine');
$faults->finish;
$faults->show_table;
$faults->discard;
done_testing;
