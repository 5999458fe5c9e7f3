# grants.def names each table of sql/, and no column that there is not; what is a secret is read by whom it must be, and by
# nobody else; and each statement of src/store can be run by somebody.
use v5.36;

use Test::More;
use Roster::Schema;
use Roster::Tables;

my $tables = Roster::Schema::tables();
$tables->{schema_migration} //= {columns => {map { $_ => {} } qw(number name checksum applied_at)}};
my @accounts = map { $_->{name} } Roster::Tables::records('tables/grants.def', 'GRANT_ACCOUNT');
my %is_account = map { $_ => 1 } @accounts;
my @grants = Roster::Tables::records('tables/grants.def', 'GRANT');

# {TABLE}{PRIVILEGE}{COLUMN or *}{ACCOUNT}
my (%granted, @order, %twice);
for my $grant (@grants) {
    my ($table, $privilege) = @$grant{qw(table privilege)};
    push @order, $table if !@order || $order[-1] ne $table;
    my @columns = length $grant->{columns} ? split /, /, $grant->{columns} : '*';
    my @unknown = grep { $_ ne '*' && !$tables->{$table}{columns}{$_} } @columns;
    is "@unknown", '', "$privilege of $table: each column is one" if $tables->{$table};
    for my $account (split /\|/, $grant->{accounts}) {
        ok $is_account{$account}, "$account is an account" if !$is_account{$account};
        is $account eq 'ROSTERCTL', !!0, 'rosterctl has all tables by itself' if $account eq 'ROSTERCTL';
        $twice{"$table $privilege $account"}++;
        $granted{$table}{$privilege}{$_}{$account} = 1 for @columns;
    }
}
is_deeply [sort keys %granted], [sort keys %$tables], 'each table of sql/ has rows, and there are no others';
is_deeply [@order], [keys %{{map { $_ => 1 } @order}} == @order ? @order : ()], 'the rows of a table stand together';
is_deeply [grep { $twice{$_} > 1 } sort keys %twice], [], 'an account has one row for a privilege of a table';

# Who reads a column.
sub readers ($table, $column) {
    my $of = $granted{$table}{SELECT} // {};
    my %all = (%{$of->{'*'} // {}}, %{$of->{$column} // {}});
    return join ' ', sort keys %all;
}
is readers('auth', 'password'), 'PASSWORD', 'the hash of a password is read by [password] alone';
is readers(split /\./), '', "$_ is read by nobody" for qw(oauth_session.token);
is readers(split /\./), 'API PASSWORD', "$_ is read by those who compare codes" for qw(auth.mfa second_factor.secret);
is readers('chat', 'chat'), 'DIRECTORY', 'what was said in a chat is read for whom it belongs to';
is join(' ', sort keys %{$granted{audit}{$_}{'*'}}), 'HOUSEKEEPER', "$_ of the audit: the housekeeper alone"
    for qw(UPDATE DELETE);
is join(' ', sort keys %{$granted{one_time_link}{INSERT}{'*'}}), 'MAILER', 'links are made by the mailer alone';

# ---- The statements ----

# Of rosterctl, which may do all.
my %own = map { $_ => 1 }
    qw(backup_store.c export_store.c migration.c overview_store.c picture_upkeep.c database_grants.c database_accounts.c);
my %used;
for my $file (glob "$Roster::Tables::source/src/store/*.c") {
    next if $own{$file =~ s{.*/}{}r};
    my $text = Roster::Tables::slurp($file) =~ s{/\*.*?\*/}{}gsr =~ s/"\s*\\?\s*"//gr;
    for my $sql ($text =~ /"((?:[^"\\]|\\.)*)"/gs) {
        my $name = qr/`?(\w+)`?/;
        $used{$1}{INSERT}++ while $sql =~ /\bINSERT INTO $name/g;
        $used{$1}{INSERT}++, $used{$1}{DELETE}++ while $sql =~ /\bREPLACE INTO $name/g;
        $used{$1}{DELETE}++ while $sql =~ /\bDELETE FROM $name/g;
        $used{$1}{UPDATE}++ while $sql =~ /(?<!KEY )(?<!FOR )\bUPDATE $name/g;
        $used{$1}{UPDATE}++ while $sql =~ /\bINSERT INTO $name\b.*?ON DUPLICATE KEY UPDATE/g;
        while ($sql =~ /\bDELETE (\w+(?:, \w+)*) FROM (.*)/g) {
            my ($names, $rest) = ($1, $2);
            for my $alias (split /, /, $names) {
                $used{$1}{DELETE}++ if $rest =~ /$name (?:AS )?\b$alias\b/;
            }
        }
        $used{$1}{SELECT}++ while $sql =~ /\b(?:FROM|JOIN) $name/g;
    }
}
delete @used{grep { !$tables->{$_} } keys %used};
cmp_ok scalar keys %used, '>', 15, 'most tables have statements';
for my $table (sort keys %used) {
    my @nobody = grep { !$granted{$table}{$_} } sort keys %{$used{$table}};
    is "@nobody", '', "whatever statements do with $table, some account may";
    my @unused = grep { $granted{$table}{$_} && !$used{$table}{$_} } qw(INSERT DELETE);
    is "@unused", '', '... and no account may add or delete rows of it where no statement does';
}

# ---- Redis ----

my (%sent, %allowed);
for my $file (map { glob "$Roster::Tables::source/src/$_/*.c" } qw(auth check store worker)) {
    my $text = Roster::Tables::slurp($file);
    $sent{$1}++ while $text =~ /\b(?:redis_append|redisAppendCommand|redisCommand|claim|run)\([^;"]*"([A-Z]{3,})\b/g;
}
$allowed{$_->{command}}++ for Roster::Tables::records('tables/redis.def', 'REDIS_COMMAND');
delete $sent{AUTH};    # which everybody may
is_deeply [sort keys %sent], [sort keys %allowed], 'redis.def has the commands that are sent, and no others';

done_testing;
