#!/usr/bin/perl
# The directories of src: each may use those that its row names, and files of one directory never use each other in a
# circle. Read twice: from the #include lines, and from what the object files take of each other (nm), as several files
# may share a header. HACKING's tour tells what each directory is for.
use v5.36;
use File::Find;
use FindBin;
use Test::More;

my $source = ($ENV{TOP_SRCDIR} // "$FindBin::Bin/../..") . '/src';

# Each row: a directory, and those that it may use. The programs themselves (src/*.c) may use all.
my @layers = (
    [tables => ()],
    [base => qw(tables)],
    [config => qw(tables base)],
    [store => qw(tables base config)],
    [auth => qw(tables base config store)],
    [worker => qw(tables base config store auth)],
    [api => qw(tables base config store auth worker)],
    [import => qw(tables base config store)],
    [check => qw(tables base config store auth)],
    [ctl => qw(tables base config store auth worker import check)],
    [master => qw(tables base config)]);
my %may_use = map {
    my ($directory, @others) = @$_;
    $directory => {map { $_ => 1 } $directory, @others}
} @layers;

# "base/arena.h" => "base/arena": a header and its source are one unit. What several sources share (X_internal.h) counts
# with X here; the object files tell which of them takes what.
sub unit_of ($file) { return $file =~ s/(?:_internal)?\.[^.\/]*$//r }

my (@climbing, @unknown, %uses);
find(
    {
        no_chdir => 1,
        wanted => sub {
            return if !/\.[ch]$/;
            my $file = substr $_, length("$source/");
            my ($directory) = $file =~ m{^([^/]+)/};
            push @unknown, $file if defined $directory && !$may_use{$directory};
            open my $in, '<', $_ or die "$_: $!\n";
            while (my $line = <$in>) {
                my ($included) = $line =~ /^\s*#\s*include\s+"([^"]+)"/ or next;
                my ($used) = $included =~ m{^([^/]+)/};
                push @unknown, "$file: $included" if !defined $used || !$may_use{$used};
                next if !defined $directory || !defined $used;
                push @climbing, "$file uses $included" if !$may_use{$directory}{$used};
                $uses{unit_of($file)}{unit_of($included)} = 1
                    if $included =~ /\.h$/ && unit_of($file) ne unit_of($included);
            }
        }
    },
    $source);
cmp_ok scalar keys %uses, '>', 50, 'the sources were read';
is "@unknown", '', 'each include names a directory that the layers know';
is join("\n", @climbing), '', 'no include climbs' or diag 'see the table in t/tables/layers.t, and HACKING';

# A circle is a unit that can be reached from itself.
sub path_between ($uses, $from, $to, $seen = {}) {
    for my $next (sort keys %{$uses->{$from} // {}}) {
        return "$from $next" if $next eq $to;
        next if $seen->{$next}++;
        my $path = path_between($uses, $next, $to, $seen);
        return "$from $path" if defined $path;
    }
    return undef;
}

sub circles ($uses) {
    return grep { defined } map { path_between($uses, $_, $_) } sort keys %$uses;
}
is join("\n", circles(\%uses)), '', 'no unit is part of a circle';

# The same of the object files.
my $objects = ($ENV{TOP_BUILDDIR} // '.') . '/src';
my $nm = $ENV{NM} // 'nm';
SKIP: {
    # Not what an earlier state of the sources has left behind.
    my @files = grep { -e s/^\Q$objects\E/$source/r =~ s/\.o$/.c/r } glob "$objects/*.o $objects/*/*.o";
    skip 'there are no object files', 3 if !@files;
    my (%defined_in, %takes);
    open my $out, '-|', $nm, '-A', '-P', @files or skip "there is no $nm", 3;
    while (my $line = <$out>) {
        my ($file, $symbol, $type) = $line =~ /^(\S+?)\.o: (\S+) (\w)/ or next;
        my $unit = substr $file, length("$objects/");
        $defined_in{$symbol} = $unit if $type =~ /^[TDBRCVW]$/;
        $takes{$unit}{$symbol} = 1 if $type eq 'U';
    }
    close $out or skip "$nm can't read them", 3;
    cmp_ok scalar keys %defined_in, '>', 500, 'the object files were read';
    my (%uses, @climbing);
    for my $unit (sort keys %takes) {
        my ($directory) = $unit =~ m{^([^/]+)/};
        for my $symbol (sort keys %{$takes{$unit}}) {
            my $other = $defined_in{$symbol} // next;
            $uses{$unit}{$other} = 1;
            my ($used) = $other =~ m{^([^/]+)/};
            push @climbing, "$unit takes $symbol of $other" if defined $directory && !$may_use{$directory}{$used // ''};
        }
    }
    is join("\n", @climbing), '', 'no object file takes something from above';
    is join("\n", circles(\%uses)), '', 'no object file is part of a circle';
}

done_testing;
