#!/usr/bin/perl
# What columns.def says of each column is what the tables of sql/ say: that it is there, of this type, and whether it may
# be null. SELECT's lists are texts made of these names, which the compiler does not know. And sql/HACKING tells of each
# column that no statement names, and of each index.
use v5.36;
use FindBin;
use Test::More;
use lib "$FindBin::Bin/../lib";
use Roster::Schema;
use Roster::Tables;

my $tables = Roster::Schema::tables();
my %type = (
    (map { $_ => qr/^(?:VARCHAR|TEXT|MEDIUMTEXT)\b/ } qw(TEXT ROLE PICTURE BANNER)),
    INTEGER => qr/^(?:BIGINT|INT)\b/,
    DATE => qr/^DATE\b/,
    (map { $_ => qr/^JSON\b/ } qw(JSON DOCUMENT)),);
my %rows_of =
    (user => 'USER', group => 'GROUP', oauth_session => 'OAUTH_SESSION', session => 'SESSION', api_key => 'KEY');
for my $table (sort keys %rows_of) {
    for my $row (Roster::Tables::records('tables/columns.def', "$rows_of{$table}_COLUMN")) {
        my $column = $tables->{$table}{columns}{$row->{name}};
        ok $column, "$table.$row->{name} is a column" or next;
        like $column->{type}, $type{$row->{type}}, "... of the type $row->{type}";
        next if !exists $row->{null};
        is $row->{null}, $column->{is_nullable} ? 'MAYBE' : 'NEVER', '... that may be null, or not';
    }
}

# A backup of an older release is restored into the tables of this one: no migration may be needed to change its rows.
for my $file (glob "$Roster::Tables::source/sql/*.sql") {
    my $sql = Roster::Tables::slurp($file) =~ s/--.*//gr;
    unlike $sql, qr/(?:^|;)\s*(?:UPDATE|INSERT|DELETE|REPLACE)\b/i, "$file changes no rows";
}

# ---- sql/HACKING ----

my ($of_columns, $of_indices) =
    Roster::Tables::slurp("$Roster::Tables::source/sql/HACKING") =~ /^Columns that .*?^-+$(.*?)^Indices.*?^-+$(.*)/ms;
my %unread = map { $_ => 1 } map { /(\w+\.\w+)/g } grep { /^    / } split /\n/, $of_columns;
my $statements = join ' ', map { Roster::Tables::slurp($_) =~ /"((?:[^"\\]|\\.)*)"/g }
    map { glob "$Roster::Tables::source/src/$_/*.c" } qw(api auth check ctl store worker);
for my $table (sort values %rows_of) {
    $statements .= " $_->{name}" for Roster::Tables::records('tables/columns.def', "${table}_COLUMN");
}
my @unnamed = grep { my ($name) = /\.(\w+)/; $statements !~ /\b$name\b/ }
    map {
    my $table = $_;
    map { "$table.$_" } keys %{$tables->{$table}{columns}}
    } keys %$tables;
cmp_ok scalar @unnamed, '>', 3, 'some columns are named by no statement';
is_deeply [grep { !$unread{$_} } sort @unnamed], [], 'sql/HACKING says why each of them is there';
is_deeply [grep { my ($table, $name) = split /\./; !$tables->{$table}{columns}{$name} } sort keys %unread], [],
    'it tells of no column that there is not';
is_deeply [sort $of_indices =~ /^    (\w+)  /mg], [sort map { keys %{$_->{keys}} } values %$tables],
    'it says what each index is for, and of no others';
done_testing;
