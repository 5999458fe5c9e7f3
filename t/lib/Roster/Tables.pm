# Roster::Tables: the rows of src/tables/*.def, and of src/ctl/commands.def, as the compiler sees them, for tests that
# nothing is undocumented.
package Roster::Tables;
use v5.36;

use Cwd ();
use File::Basename ();

our $source = $ENV{TOP_SRCDIR} // Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');
our $build = Cwd::abs_path($ENV{TOP_BUILDDIR} // (-x './rosterctl' ? '.' : 'build'));

die "$build/rosterctl is not built yet\n" if !-x "$build/rosterctl";

sub slurp ($path) {
    open my $in, '<:encoding(UTF-8)', $path or die "$path: $!\n";
    local $/ = undef;
    return scalar readline $in;
}

# A table as the preprocessor leaves it, where rows of `$macro` begin with @: tables include each other, and some rows come
# from a macro of the table's own.
sub preprocessed ($table, $macro) {
    state %seen;
    return $seen{"$table $macro"} //= do {
        my @command = split ' ', $ENV{CC} // 'cc';
        push @command, qw(-E -P -undef -x c), "-I$source/src", "-D$macro(...)=\@(__VA_ARGS__)", "$source/src/$table";
        open my $out, '-|:encoding(UTF-8)', @command or die "$command[0]: $!\n";
        local $/ = undef;
        my $text = readline $out;
        close $out or die "@command: $?\n";
        $text;
    };
}

# The rows of a macro in a table: lists of arguments; texts in quotes without them, pieces of a text joined.
# rows('tables/routes.def', 'ROUTE').
sub rows ($table, $macro) {
    my $string = qr/"(?:[^"\\]|\\.)*"/s;
    my @rows;
    for my $row (preprocessed($table, $macro) =~ /\@\(((?:$string|'[^']*'|[^()"'])*)\)/g) {
        my @arguments = ('');
        for my $piece ($row =~ /($string|'[^']*'|[^,"']+|,)/g) {
            if ($piece eq ',') { push @arguments, '' }
            elsif ($piece =~ /^"(.*)"$/s) { $arguments[-1] .= $1 =~ s/\\(.)/$1/gr }
            else { $arguments[-1] .= $piece =~ s/\s+//gr }
        }
        push @rows, \@arguments;
    }
    die "$table has no rows $macro\n" if !@rows;
    return @rows;
}

# The same as hashes, by the names that the head of the table gives to the arguments.
sub records ($table, $macro) {
    my $text = slurp("$source/src/$table");
    my ($names) = $text =~ /^(?:#define| \*) $macro\(([\w, ]+)\)/m
        or die "$table does not name the arguments of $macro\n";
    my @names = split /, /, $names;
    return map {
        my %record;
        @record{@names} = @$_;
        die "$table: $macro takes @names, not @$_\n" if @$_ != @names;
        \%record
    } rows($table, $macro);
}

# What rosterctl prints, and how it ends.
sub rosterctl (@arguments) {
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        exec "$build/rosterctl", @arguments or die "$build/rosterctl: $!\n";
    }
    binmode $out, ':encoding(UTF-8)';
    local $/ = undef;
    my $text = readline($out) // '';
    close $out;
    return wantarray ? ($text, $?) : $text;
}

# A manual page, filled in, as mdoc.
sub manual ($name) { return scalar rosterctl('manual', $name, '--directory', "$source/man") }

# The same as people read it, without overstriking, white space squeezed. undef where there is no mandoc.
sub rendered ($name) {
    my $page = manual($name);
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open my $in, '|-', 'mandoc', '-T', 'utf8', '-O', 'width=1000' or exit 127;
        binmode $in, ':encoding(UTF-8)';
        print {$in} $page;
        close $in;
        exit $? >> 8;
    }
    binmode $out, ':encoding(UTF-8)';
    local $/ = undef;
    my $text = readline($out) // '';
    return undef if !close $out || $text eq '';
    $text =~ s/.\x08//g;
    return $text;
}

sub has_mandoc () {
    return !!grep { -x "$_/mandoc" } split /:/, $ENV{PATH};
}

1;
