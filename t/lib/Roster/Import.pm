# Roster::Import: the other program's SQLite files, for tests of `rosterctl import`: making them, bringing them over,
# reading the report.
#
#   use Roster::Import;
#
#   my $file = file('site', release('0.12.4'), user('ada', role => 'admin'));
#   import_into($roster);
#   my $result = import_file($file);
#   is numbers($result, 'user'), '1 1 0 0 0 1', 'there, new, changed, unchanged, left out, here';
package Roster::Import;
use v5.36;

use Exporter 'import';
use File::Temp ();
use IPC::Open2 ();
use JSON::PP ();
use Roster ();
use Test::More ();

our @EXPORT =
    qw(quote run_sqlite insert release user file files import_into import_file refuses numbers findings named adds_up);
our $sqlite = eval { Roster::Database::find_program('sqlite3') };

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $files = File::Temp->newdir;
my $roster;

# The directory of the files that are made.
sub files () { return "$files" }

# A value in SQL; of a reference to a text its bytes, of other references the JSON.
sub quote ($value) {
    return 'NULL' if !defined $value;
    return 'CAST(x\'' . unpack('H*', $$value) . "' AS TEXT)" if ref $value eq 'SCALAR';
    return $value if $value =~ /^-?\d{1,18}\z/;
    if (ref $value) { $value = $json->encode($value) }
    else { utf8::encode($value) }
    return "CAST(x'" . unpack('H*', $value) . "' AS TEXT)";
}

sub run_sqlite ($file, $sql) {
    my $pid = IPC::Open2::open2(my $out, my $in, $sqlite, '-bail', $file);
    print {$in} $sql;
    close $in;
    my $text = join '', readline $out;
    waitpid $pid, 0;
    Test::More::is $?, 0, 'sqlite3 has done it' or Test::More::diag $text;
    return $text;
}

sub insert ($table, %row) {
    my @names = sort keys %row;
    return sprintf qq{INSERT OR REPLACE INTO "%s" (%s) VALUES (%s);\n}, $table,
        join(', ', map { '"' . s/"/""/gr . '"' } @names), join ', ', map { quote($_) } @row{@names};
}

# The tables of a release.
sub release ($number) { return Roster::Database::slurp("$Roster::source/t/import/open-webui-$number.sql") }

my $number = 0;

# A user with a row in auth; what begins with `auth_` goes there. password undef: none.
sub user ($id, %row) {
    my $password = exists $row{password} ? delete $row{password} : $Roster::PASSWORD_HASH;
    my %auth = map { (s/^auth_//r => delete $row{$_}) } grep { /^auth_/ } keys %row;
    my %user = (
        id => $id,
        email => "$id\@example.org",
        role => 'user',
        name => ucfirst $id,
        profile_image_url => '/user.png',
        last_active_at => 1_700_000_500,
        updated_at => 1_700_000_000,
        created_at => 1_690_000_000 + ++$number,
        %row);
    return insert(user => %user)
        . (
        defined $password
        ? insert(auth => id => $id, email => $user{email}, password => $password, active => 1, %auth)
        : '');
}

sub file ($name, @statements) {
    my $file = "$files/$name.db";
    unlink $file;
    run_sqlite($file, join '', "BEGIN;\n", @statements, "COMMIT;\n");
    return $file;
}

# From here on, files go into this stack, which it answers.
sub import_into ($stack) { return $roster = $stack }

# A file is refused, also with --dry-run: the reason is said, and nothing of it comes.
sub refuses ($name, $file, $pattern) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $option ([], ['--dry-run']) {
        my ($status, $out) = $roster->rosterctl('import', 'open-webui', $file, @$option);
        Test::More::is $status >> 8, 1, "a file $name is refused" or Test::More::diag $out;
        Test::More::like $out, $pattern, '... and it is said why';
        Test::More::like $out, qr/nothing was imported/, '... and that nothing came';
    }
    return;
}

# {status, report, out, tables}: the report of --json.
sub import_file ($file, @options) {
    my ($status, $out) = $roster->rosterctl('import', 'open-webui', $file, '--json', @options);
    my $report = eval { $json->decode($out) };
    return {
        status => $status >> 8,
        out => $out,
        report => $report,
        tables => {map { ($_->{table} => $_) } @{$report->{tables} // []}}
    };
}

# A table's numbers: there, new, changed, unchanged, left out, here.
sub numbers ($result, $table) {
    return join ' ', map { $result->{tables}{$table}{$_} // '-' } qw(there new changed unchanged left_out here);
}

sub findings ($result, $kind) {
    return [
        sort map { "$_->{table} " . ($_->{id} // '-') . ": $_->{text}" }
        grep { $_->{kind} eq $kind } @{$result->{report}{findings}}
    ];
}

# The same, with whom it is about.
sub named ($result, $kind) {
    return [
        sort map { "$_->{table} (" . ($_->{name} // '-') . "): $_->{text}" }
        grep { $_->{kind} eq $kind } @{$result->{report}{findings}}
    ];
}

# What must always hold: each row of the file is counted once, and the numbers here are true.
sub adds_up ($result, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @wrong;
    for my $table (@{$result->{report}{tables}}) {
        my $sum = 0;
        $sum += $table->{$_} for qw(new changed unchanged left_out);
        push @wrong, "$table->{table}: there $table->{there}, sum $sum" if $sum != $table->{there};
        my $here = $roster->sql("SELECT COUNT(*) FROM `$table->{table}`");
        push @wrong, "$table->{table}: here $here, said $table->{here}"
            if !$result->{report}{dry_run} && $here != $table->{here};
    }
    Test::More::ok !@wrong && @{$result->{report}{tables} // []} == 8, "$name: each row is counted once"
        or Test::More::diag "@wrong\n$result->{out}";
    return;
}

1;
