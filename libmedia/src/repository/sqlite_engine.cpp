#include "repository/sqlite_engine.hpp"

#include "repository/sql_reads_impl.hpp"
#include "repository/sql_transaction_impl.hpp"

template class media::sql::Reads<media::sqlite::Engine, media::Repository>;
template class media::sql::Reads<media::sqlite::Engine, media::Transaction>;
template class media::sql::SqlTransaction<media::sqlite::Engine>;
