# persons.def has each column of each table that holds something about a person, so nothing is left out of an export.
use v5.36;

use Test::More;
use Roster::Schema;
use Roster::Tables;

my $tables = Roster::Schema::tables();
my %row_of;
for my $kind (qw(COLUMN HIDDEN)) {
    push @{$row_of{$_->{table}}}, $_->{name} for Roster::Tables::records('tables/persons.def', "PERSON_$kind");
}
my %told;
for my $row (Roster::Tables::records('tables/persons.def', 'PERSON_TABLE')) {
    $told{$row->{sql}}++;
    is_deeply [sort @{$row_of{$row->{name}}}], [sort keys %{$tables->{$row->{sql}}{columns}}],
        "each column of $row->{sql} is exported, or has a reason";
    like $row->{condition}, qr/^x\.\w+ = \?(?: OR x\.\w+ = (?:\?|\(SELECT u\.email FROM user u WHERE u\.id = \?\)))?$/,
        '... of rows with an id, or the address of the account';
}
for my $row (
    Roster::Tables::records('tables/persons.def', 'PERSON_NONE'),
    Roster::Tables::records('tables/persons.def', 'PERSON_HIDDEN'))
{
    $told{$row->{table}}++ if !exists $row->{name};
    like $row->{why}, qr/^[A-Z].*\.$/, 'the reason is a sentence';
}
my @personal = grep {
    grep { /^(?:user_id|owner_id|actor_id|subject_id|email)$/ }
        keys %{$tables->{$_}{columns}}
} sort keys %$tables;
cmp_ok scalar @personal, '>', 8, 'there are tables about people';
is_deeply [grep { !$told{$_} } @personal], [], 'each of them is there';
done_testing;
