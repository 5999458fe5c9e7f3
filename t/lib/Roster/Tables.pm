# Roster::Tables: the rows of src/tables/*.def, and of src/ctl/commands.def, as the compiler sees them, for tests that nothing is undocumented.
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

# The rows of a macro in a table: lists of arguments; texts in quotes without them, pieces of a text joined. rows('tables/routes.def', 'ROUTE').
sub rows ($table, $macro) {
    my $text = slurp("$source/src/$table");
    $text =~ s{/\*.*?\*/}{}sg;
    $text =~ s/^#.*?(?<!\\)$//msg;
    my $string = qr/"(?:[^"\\]|\\.)*"/s;
    my @rows;
    while ($text =~ /^$macro\(((?:$string|'[^']*'|[^()"'])*)\)/mg) {
        my @arguments = ('');
        for my $piece ($1 =~ /($string|'[^']*'|[^,"']+|,)/g) {
            if ($piece eq ',') { push @arguments, '' }
            elsif ($piece =~ /^"(.*)"$/s) { $arguments[-1] .= $1 =~ s/\\(.)/$1/gr }
            else { $arguments[-1] .= $piece =~ s/\s+//gr }
        }
        push @rows, \@arguments;
    }
    die "$table has no rows $macro\n" if !@rows;
    return @rows;
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

sub has_mandoc () { return !!grep { -x "$_/mandoc" } split /:/, $ENV{PATH} }

1;
